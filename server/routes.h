/* SPDX-License-Identifier: MIT
 *
 * The handlers that route_table.c names, one file a family: route_old.c (the addresses phones and
 * boards already use), route_upload.c, route_picture.c, route_api.c, route_health.c, route_page.c.
 * Each reads the registry, calls actions, answers; none knows SQL, MQTT or the HTTP library. Loop
 * thread.
 */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include <stddef.h>

struct server;
struct http_request;

typedef void route_handler_fn(struct server *server, struct http_request *request);

route_handler_fn route_hello, route_lock, route_unlock, route_test, route_data;
route_handler_fn route_upload, route_get_pic, route_alert_picture;
route_handler_fn route_session_new, route_session_end, route_devices, route_status, route_actions;
route_handler_fn route_livez, route_readyz, route_page;

/* http_options.on_file_piece: only /upload takes files. */
void route_upload_piece(void *owner, struct http_request *request, const void *bytes, size_t len);

#endif
