/* SPDX-License-Identifier: MIT
 *
 * The whole HTTP surface on one screen. 404, 405 with Allow, HEAD, the sign-in and the documents
 * follow from it.
 */
#include "server/routes.h"

#include "server/router.h"

#define GET    (1u << HTTP_GET)
#define POST   (1u << HTTP_POST)
#define DELETE (1u << HTTP_DELETE)

/* clang-format off */
const struct route route_table[] = {
    /* methods    pattern               flags                       least role   body                 */
    {GET | POST,  "/hello",             ROUTE_OLD | ROUTE_OPEN,     ROLE_NONE,   HTTP_BODY_NONE,
     "says hello", route_hello},
    {GET | POST,  "/lock",              ROUTE_OLD | ROUTE_NO_HEAD,  ROLE_MEMBER, HTTP_BODY_COLLECT,
     "locks device=ID, or all: body 0 handed over, 1 not", route_lock},
    {GET | POST,  "/unlock",            ROUTE_OLD | ROUTE_NO_HEAD,  ROLE_MEMBER, HTTP_BODY_COLLECT,
     "unlocks device=ID, or all: body 0 handed over, 1 not", route_unlock},
    {POST,        "/test",              ROUTE_OLD,                  ROLE_MEMBER, HTTP_BODY_COLLECT,
     "locks or unlocks as its JSON body says: body 0 or 1", route_test},
    {GET | POST,  "/get_pic",           ROUTE_OLD,                  ROLE_VIEWER, HTTP_BODY_COLLECT,
     "the newest stranger's picture, or the newest of pic_name, topic, time", route_get_pic},
    {POST,        "/upload",            ROUTE_OLD,                  ROLE_MEMBER, HTTP_BODY_FORM_FILE,
     "takes a picture of pic_name, topic, time: body 0 stored, 1 refused", route_upload},
    {GET,         "/data",              ROUTE_OLD,                  ROLE_VIEWER, HTTP_BODY_NONE,
     "what was set last, one flat JSON object", route_data},
    {GET,         "/pic/{id}",          ROUTE_OPEN,                 ROLE_NONE,   HTTP_BODY_NONE,
     "an alert's picture, for who has its link's capability", route_alert_picture},
    {GET,         "/livez",             ROUTE_OPEN,                 ROLE_NONE,   HTTP_BODY_NONE,
     "200 while the process runs", route_livez},
    {GET,         "/readyz",            ROUTE_OPEN,                 ROLE_NONE,   HTTP_BODY_NONE,
     "200 when store, broker and subscriptions are there, else 503 and why", route_readyz},
    {GET,         "/healthz",           ROUTE_OPEN,                 ROLE_NONE,   HTTP_BODY_NONE,
     "the same as /readyz", route_readyz},
    {POST,        "/api/v1/session",    ROUTE_OPEN,                 ROLE_NONE,   HTTP_BODY_COLLECT,
     "signs the page in with a single-use code or a bearer token", route_session_new},
    {DELETE,      "/api/v1/session",    ROUTE_OPEN,                 ROLE_NONE,   HTTP_BODY_NONE,
     "signs the page out", route_session_end},
    {GET,         "/api/v1/devices",    0,                          ROLE_VIEWER, HTTP_BODY_NONE,
     "the devices and what their locks said last; 500 a page, after=ID goes on", route_devices},
    {GET,         "/api/v1/status",     0,                          ROLE_VIEWER, HTTP_BODY_NONE,
     "counters, problems, warnings, the newest picture", route_status},
    {GET,         "/api/v1/actions",    0,                          ROLE_VIEWER, HTTP_BODY_NONE,
     "the table of actions with their grammar and counts", route_actions},
    {GET,         "/",                  ROUTE_OPEN,                 ROLE_NONE,   HTTP_BODY_NONE,
     "the page", route_page},
    {GET,         "/{path*}",           ROUTE_OPEN,                 ROLE_NONE,   HTTP_BODY_NONE,
     "the files of the page", route_page},
    {0, NULL, 0, ROLE_NONE, HTTP_BODY_NONE, NULL, NULL},
};
/* clang-format on */
