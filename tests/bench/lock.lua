-- SPDX-License-Identifier: MIT
-- wrk: POST /lock for one door after another; counts the answers that are not `0`.
local token, doors = os.getenv("BENCH_TOKEN"), tonumber(os.getenv("BENCH_DOORS"))
local door = 0
local threads = {}
bad = 0

function setup(thread)
   threads[#threads + 1] = thread
end

function init()
   wrk.method = "POST"
   if token ~= nil and token ~= "" then
      wrk.headers["Authorization"] = "Bearer " .. token
   end
end

function request()
   door = door % doors + 1
   return wrk.format(nil, string.format("/lock?device=fleet-%06d", door))
end

function response(status, headers, body)
   if status ~= 200 or body:sub(1, 1) ~= "0" then
      bad = bad + 1
   end
end

function done()
   local sum = 0
   for _, thread in ipairs(threads) do
      sum = sum + thread:get("bad")
   end
   print("bad answers: " .. sum)
end
