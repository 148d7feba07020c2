/* SPDX-License-Identifier: MIT
 *
 * The page's files: all of www/ is read once at the start, so that serving one never touches the
 * disk. Knows neither users nor state. Loop thread.
 */
#ifndef SERVER_STATIC_FILES_H
#define SERVER_STATIC_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

struct http_request;
struct static_files;

#define STATIC_PATH_SIZE 256

/* Finds the folder: GATEHOUSE_WWW, "www" in the working directory, ../share/gatehouse/www beside
 * the program, "www" beside its build folder. Without any the table is empty and the log says so.
 * ERR_IO or ERR_TOO_LARGE with a cause. */
enum err static_files_load(struct static_files **out, struct cause *cause);
/* The same from a given folder; ERR_NOT_FOUND when there is none. */
enum err static_files_load_from(const char *folder, struct static_files **out, struct cause *cause);
void static_files_free(struct static_files *files);
size_t static_files_count(const struct static_files *files);
bool static_files_has(const struct static_files *files, const char *path);
/* Answers GET or HEAD of the request's path: 200, 304 when If-None-Match has its ETag, or 404. */
void static_files_reply(const struct static_files *files, struct http_request *request);

/* Pure: which file of the folder a path means ("/" is index.html). False for what can be none:
 * empty or hidden segments, "..", backslashes, control characters, too long. */
bool static_path_resolve(const char *path, char out[static STATIC_PATH_SIZE]);
/* Pure: the Content-Type by the name's ending. */
const char *static_type_of(const char *name);
/* Pure: whether an If-None-Match header (RFC 9110 13.1.2) names this ETag. NULL: no. */
bool static_etag_matches(const char *if_none_match, const char *etag);

#endif
