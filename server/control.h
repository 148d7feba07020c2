/* SPDX-License-Identifier: MIT
 *
 * The owner's door: a unix socket DATA_DIR/control.sock (0600) by which the command line changes a
 * running server. One request a connection, one JSON object a line each way:
 *
 *   {"do":"token","name":NAME,"role":ROLE}   -> {"token":SECRET}
 *   {"do":"import","path":FILE}              -> {"report":[LINE,...]}
 *   {"do":"restore","path":FILE}             -> {}
 *   {"do":"hold"}                            -> {}, and no picture is removed until the connection
 * ends anything that fails                      -> {"error":TEXT}
 *
 * Loop thread. It knows no command line (server/cli*.c is the other end).
 */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include "server/base/err.h"

struct server;

#define CONTROL_LINE_MAX 8192

enum err control_start(struct server *server, struct cause *cause);
/* Closes the socket and all connections. Fine when it was never started. */
void control_stop(struct server *server);
/* Frees; after the loop closed the handles. */
void control_free(struct server *server);
/* The socket's address through an open folder, so that a long DATA_DIR fits sun_path (unix(7): 108
 * bytes). */
#define CONTROL_PATH_SIZE 64
void control_path(int folder_fd, char out[static CONTROL_PATH_SIZE]);

#endif
