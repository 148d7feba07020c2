// SPDX-License-Identifier: MIT
//
// The page: signs in, shows devices and the latest picture, hands on presses. It shows only what the server said, and
// a lock's state only as the lock said it. Every text goes in by textContent, so a name with markup is just a name.
"use strict";

const REFRESH_MS = 2000;
const ANSWER_MS = 12000;
const DEVICES_SHOWN = 200;

const byId = (id) => document.getElementById(id);
const rows = new Map(); // device id -> its elements, and the press that waits for an answer
let timer = null;
let refreshing = false;
let shownPicture = "";

function show(element, visible) {
  element.hidden = !visible;
}

function timeText(value) {
  const time = new Date(value);
  if (!value || Number.isNaN(time.getTime())) return "never";
  const today = time.toDateString() === new Date().toDateString();
  return today ? time.toLocaleTimeString() : time.toLocaleString();
}

function setConnection(text) {
  byId("connection").textContent = text;
  show(byId("connection"), text !== "");
}

// ---- signing in and out

function showSignIn(text) {
  clearTimeout(timer);
  timer = null;
  show(byId("house"), false);
  show(byId("sign-out"), false);
  byId("sign-in-result").textContent = text;
  if (byId("sign-in").hidden) {
    show(byId("sign-in"), true);
    byId("token").focus();
  }
}

// The address printed at the first start carries a code that works once; it must not stay in the history.
async function signInWithCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  const reply = await fetch("/api/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  if (!reply.ok) showSignIn("This link was used already or is too old. A token works always.");
}

async function signInWithToken(event) {
  event.preventDefault();
  const token = byId("token").value.trim();
  // What is no token at all could not even be sent in a header.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    byId("sign-in-result").textContent = "This is no token.";
    return;
  }
  try {
    const reply = await fetch("/api/v1/session", { method: "POST", headers: { Authorization: "Bearer " + token } });
    if (!reply.ok) {
      byId("sign-in-result").textContent =
        reply.status === 401 ? "The server does not know this token." : "The server answered " + reply.status + ".";
      return;
    }
    byId("token").value = "";
    await refresh();
  } catch {
    byId("sign-in-result").textContent = "No connection to the server.";
  }
}

async function signOut() {
  try {
    await fetch("/api/v1/session", { method: "DELETE" });
    showSignIn("Signed out.");
  } catch {
    setConnection("Not signed out: no connection to the server.");
  }
}

// ---- what is

const STATES = { locked: "Locked", unlocked: "Unlocked", jammed: "Jammed" };

function showState(element, lock) {
  const known = Object.hasOwn(STATES, lock);
  element.textContent = known ? STATES[lock] : "Not known: the lock has not said";
  element.className = "state " + (known ? lock : "unknown");
}

function detailText(device) {
  const since = device.lock && device.lock !== "unknown" ? "since " + timeText(device.changed_at) + ", " : "";
  const presence = { here: ", connected", away: ", away" }[device.presence] || ""; // not known: nothing is said
  return since + "last heard " + timeText(device.seen_at) + presence;
}

function makeRow(device) {
  const item = byId("device-template").content.firstElementChild.cloneNode(true);
  const row = {
    item,
    state: item.querySelector(".state"),
    detail: item.querySelector(".detail"),
    result: item.querySelector(".result"),
    buttons: [...item.querySelectorAll("button")],
    seen: null,
    waiting: null, // { word, seen, until }
  };
  item.querySelector("h3").textContent = device.id;
  for (const button of row.buttons) {
    const word = button.dataset.word;
    button.setAttribute("aria-label", (word === "lock" ? "Lock " : "Unlock ") + device.id);
    button.addEventListener("click", () => press(word, device.id, row.buttons, row.result, row));
  }
  return row;
}

// Says what became of a press: the lock's answer is seen by the time it was last heard.
function settlePress(row, device) {
  if (row.waiting === null) return;
  if (device.seen_at !== row.waiting.seen) {
    const wanted = row.waiting.word === "lock" ? "locked" : "unlocked";
    row.result.textContent =
      device.lock === wanted ? "The lock answered: " + wanted + "." : "The lock answered; see its state above.";
    row.waiting = null;
  } else if (Date.now() > row.waiting.until) {
    row.result.textContent =
      row.waiting.word === "unlock"
        ? "No answer from the lock. The door may still open."
        : "No answer from the lock. The door may not be locked.";
    row.waiting = null;
  }
}

function showDevices(devices) {
  const list = byId("devices");
  const shown = devices.slice(0, DEVICES_SHOWN);
  const ids = new Set(shown.map((device) => device.id));
  for (const [id, row] of rows) {
    if (ids.has(id)) continue;
    row.item.remove();
    rows.delete(id);
  }
  for (const device of shown) {
    let row = rows.get(device.id);
    if (row === undefined) {
      row = makeRow(device);
      rows.set(device.id, row);
      list.append(row.item);
    }
    showState(row.state, device.lock);
    row.detail.textContent = detailText(device);
    row.seen = device.seen_at;
    settlePress(row, device);
  }
  byId("devices-note").textContent =
    devices.length === 0
      ? "No device has made itself known yet. No board at hand? On the server, gatehouse-sim lock plays one."
      : devices.length > shown.length
        ? shown.length + " of " + devices.length + " devices are shown."
        : "";
}

function showProblems(status) {
  const list = byId("problems");
  const lines = [
    ...(status.problems || []).map((text) => ({ text, bad: true })),
    ...(status.warnings || []).map((text) => ({ text, bad: false })),
  ];
  const key = JSON.stringify(lines);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(
    ...lines.map(({ text, bad }) => {
      const item = document.createElement("li");
      item.textContent = (bad ? "Problem: " : "Note: ") + text;
      item.classList.toggle("bad", bad);
      return item;
    }),
  );
}

function showPicture(newest) {
  if (!newest || newest === shownPicture) return;
  shownPicture = newest;
  // The server looks at the session alone; the number only keeps the browser from showing an older one.
  byId("picture").src = "/get_pic?newest=" + encodeURIComponent(newest);
}

// ---- pressing

async function press(word, id, buttons, result, row) {
  for (const button of buttons) button.disabled = true;
  const focused = document.activeElement;
  result.textContent = "Asking the server…";
  if (row !== null) row.waiting = null;
  const seen = row === null ? null : row.seen;
  try {
    const reply = await fetch("/" + word + (id === null ? "" : "?device=" + encodeURIComponent(id)), {
      method: "POST",
    });
    const body = (await reply.text()).trim();
    if (reply.ok && body === "0") {
      result.textContent = "Handed to the broker" + (row === null ? "." : "; waiting for the lock's answer.");
      if (row !== null) row.waiting = { word, seen, until: Date.now() + ANSWER_MS };
    } else if (reply.status === 401) {
      showSignIn("Please sign in again.");
    } else if (reply.status === 403) {
      result.textContent = "Failed: not allowed.";
    } else if (reply.ok) {
      result.textContent = id === null ? "Failed for at least one door." : "Failed: not handed to the broker.";
    } else {
      result.textContent = "Failed: the server answered " + reply.status + ".";
    }
  } catch {
    result.textContent = "No answer from the server: it is not known whether it was sent.";
  }
  for (const button of buttons) button.disabled = false;
  if (buttons.includes(focused)) focused.focus();
}

// ---- the round

async function refreshOnce() {
  const devices = await fetch("/api/v1/devices", { cache: "no-store" });
  if (devices.status === 401) {
    showSignIn(byId("sign-in-result").textContent);
    return false;
  }
  const status = await fetch("/api/v1/status", { cache: "no-store" });
  if (!devices.ok || !status.ok) throw new Error("the server answered " + (devices.ok ? status : devices).status);
  const told = await status.json();
  showDevices((await devices.json()).devices || []);
  showProblems(told);
  showPicture((told.pictures || {}).newest);
  setConnection("");
  byId("sign-in-result").textContent = "";
  show(byId("sign-in"), false);
  show(byId("house"), true);
  show(byId("sign-out"), true);
  return true;
}

async function refresh() {
  if (refreshing) return;
  refreshing = true;
  clearTimeout(timer);
  let again = true;
  try {
    again = await refreshOnce();
  } catch (error) {
    const why = error instanceof TypeError ? "no connection to the server" : error.message;
    setConnection("What is shown may be old: " + why + ". Trying again.");
  }
  refreshing = false;
  if (again && !document.hidden) timer = setTimeout(refresh, REFRESH_MS);
}

async function start() {
  try {
    await signInWithCode();
  } catch {
    setConnection("No connection to the server.");
  }
  await refresh();
}

byId("sign-in").addEventListener("submit", signInWithToken);
byId("sign-out").addEventListener("click", signOut);
byId("lock-all").addEventListener("click", () =>
  press("lock", null, [byId("lock-all"), byId("unlock-all")], byId("all-result"), null),
);
byId("unlock-all").addEventListener("click", () => {
  if (confirm("Unlock every door?"))
    press("unlock", null, [byId("lock-all"), byId("unlock-all")], byId("all-result"), null);
});
byId("picture").addEventListener("load", () => {
  show(byId("picture"), true);
  show(byId("no-picture"), false);
});
byId("picture").addEventListener("error", () => {
  show(byId("picture"), false);
  show(byId("no-picture"), true);
  shownPicture = "";
});
addEventListener("hashchange", start);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && byId("sign-in").hidden) refresh();
});
start();
