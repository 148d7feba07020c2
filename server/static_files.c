/* SPDX-License-Identifier: MIT
 *
 * A sorted table of files in memory, each with its type and an ETag from its SHA-256. The headers
 * allow nothing from elsewhere, no frames and no guessing of types, so a hole in the page is not a
 * door. Knows the folder at the start only.
 */
#include "server/static_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/base/names.h"
#include "server/base/secret.h"
#include "server/http.h"

#define FILES_MAX  1000
#define BYTES_MAX  (32u * 1024 * 1024) /* of all files together */
#define LEVELS_MAX 4

struct static_file {
    char name[STATIC_PATH_SIZE]; /* below the folder, "css/page.css" */
    char *bytes;
    size_t len;
    const char *type;
    char etag[20]; /* with its quotes */
};

struct static_files {
    struct static_file *list;
    size_t count, room, bytes;
};

const char *static_type_of(const char *name)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".ico", "image/vnd.microsoft.icon"},
        {".woff2", "font/woff2"},
        {".woff", "font/woff"},
        {".txt", "text/plain; charset=utf-8"},
    };
    const char *ending = strrchr(name, '.');

    for (size_t i = 0; ending != NULL && i < sizeof(types) / sizeof(*types); i++) {
        if (strcasecmp(ending, types[i].ending) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

bool static_path_resolve(const char *path, char out[static STATIC_PATH_SIZE])
{
    size_t len = strlen(path);
    size_t segment = 0;

    out[0] = '\0';
    if (path[0] != '/' || len > STATIC_PATH_SIZE || text_has_control(path, len) ||
        !text_is_utf8(path, len) || strchr(path, '\\') != NULL)
        return false;
    if (len == 1) {
        text_copy(out, STATIC_PATH_SIZE, "index.html", strlen("index.html"));
        return true;
    }
    for (const char *p = path + 1;; p += segment + 1) {
        segment = strcspn(p, "/");
        /* Hidden files are none of the page's, and "." and ".." begin like them. */
        if (segment == 0 || *p == '.')
            return false;
        if (p[segment] == '\0')
            break;
    }
    text_copy(out, STATIC_PATH_SIZE, path + 1, len - 1);
    return true;
}

bool static_etag_matches(const char *if_none_match, const char *etag)
{
    const char *at = if_none_match;
    size_t len = strlen(etag);

    while (at != NULL && *at != '\0') {
        at += strspn(at, " \t,");
        if (*at == '*')
            return true;
        if (strncmp(at, "W/", 2) == 0)
            at += 2; /* compared weakly */
        if (strncmp(at, etag, len) == 0 && strchr(" \t,", at[len]) != NULL)
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

static enum err read_all(int fd, struct static_file *file)
{
    size_t at = 0;

    while (at < file->len) {
        ssize_t got = read(fd, file->bytes + at, file->len - at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR_IO;
        at += (size_t)got;
    }
    return ERR_OK;
}

static enum err make_room(struct static_files *files)
{
    size_t room = files->room == 0 ? 16 : files->room * 2;
    struct static_file *list;

    if (files->count < files->room)
        return ERR_OK;
    list = realloc(files->list, room * sizeof(*list));
    if (list == NULL)
        return ERR_NO_MEMORY;
    files->list = list;
    files->room = room;
    return ERR_OK;
}

static enum err add_file(struct static_files *files, int fd, const char *name, size_t len)
{
    char hash[SECRET_SHA256_SIZE];
    struct static_file *file;
    enum err err;

    if (files->count == FILES_MAX || len > BYTES_MAX - files->bytes)
        return ERR_TOO_LARGE;
    err = make_room(files);
    if (err != ERR_OK)
        return err;
    file = &files->list[files->count];
    memset(file, 0, sizeof(*file));
    file->bytes = malloc(len > 0 ? len : 1);
    if (file->bytes == NULL)
        return ERR_NO_MEMORY;
    file->len = len;
    err = read_all(fd, file);
    if (err != ERR_OK) {
        free(file->bytes);
        return err;
    }
    text_copy(file->name, sizeof(file->name), name, strlen(name));
    file->type = static_type_of(name);
    secret_sha256(file->bytes, len, hash);
    snprintf(file->etag, sizeof(file->etag), "\"%.16s\"", hash);
    files->bytes += len;
    files->count++;
    return ERR_OK;
}

static enum err walk(struct static_files *files, int folder, const char *prefix, unsigned level);

static enum err take_entry(struct static_files *files, int folder, const char *prefix,
                           const char *entry, unsigned level)
{
    char name[STATIC_PATH_SIZE];
    struct stat about;
    enum err err = ERR_OK;
    int len = snprintf(name, sizeof(name), "%s%s", prefix, entry);
    int fd;

    if (len < 0 || (size_t)len >= sizeof(name))
        return ERR_TOO_LARGE;
    /* Never waits, should somebody put a pipe there. */
    fd = openat(folder, entry, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &about) != 0) {
        err = ERR_IO;
    } else if (S_ISREG(about.st_mode)) {
        err = add_file(files, fd, name, (size_t)about.st_size);
    } else if (S_ISDIR(about.st_mode) && level < LEVELS_MAX) {
        char below[STATIC_PATH_SIZE + 1];

        snprintf(below, sizeof(below), "%s/", name);
        return walk(files, fd, below, level + 1);
    }
    if (fd >= 0)
        close(fd);
    return err;
}

/* Takes over `folder`. */
static enum err walk(struct static_files *files, int folder, const char *prefix, unsigned level)
{
    DIR *list = fdopendir(folder);
    const struct dirent *entry;
    enum err err = ERR_OK;

    if (list == NULL) {
        close(folder);
        return ERR_IO;
    }
    while (err == ERR_OK && (entry = readdir(list)) != NULL) {
        if (entry->d_name[0] != '.')
            err = take_entry(files, dirfd(list), prefix, entry->d_name, level);
    }
    closedir(list);
    return err;
}

static int by_name(const void *left, const void *right)
{
    const struct static_file *a = left, *b = right;

    return strcmp(a->name, b->name);
}

enum err static_files_load_from(const char *folder, struct static_files **out, struct cause *cause)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct static_files *files;
    enum err err;

    if (fd < 0)
        return cause_set(cause, ERR_NOT_FOUND, "the page's folder %s cannot be opened: %s", folder,
                         strerror(errno));
    files = calloc(1, sizeof(*files));
    if (files == NULL) {
        close(fd);
        return cause_set(cause, ERR_NO_MEMORY, "no memory for the page");
    }
    err = walk(files, fd, "", 0);
    if (err != ERR_OK) {
        static_files_free(files);
        return cause_set(cause, err, "the page's folder %s cannot be read: %s", folder,
                         err_message(err));
    }
    if (files->count > 0)
        qsort(files->list, files->count, sizeof(*files->list), by_name);
    *out = files;
    return ERR_OK;
}

/* Where the program lies says where its files are, whatever it was installed below. */
static bool beside_program(const char *relative, char out[static PATH_MAX])
{
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    const char *slash;
    int used;

    if (len <= 0)
        return false;
    program[len] = '\0';
    slash = strrchr(program, '/');
    if (slash == NULL)
        return false;
    used = snprintf(out, PATH_MAX, "%.*s/%s", (int)(slash - program), program, relative);
    return used > 0 && used < PATH_MAX && access(out, R_OK | X_OK) == 0;
}

enum err static_files_load(struct static_files **out, struct cause *cause)
{
    static const char *const places[] = {"../share/gatehouse/www", "../www", "../../www"};
    const char *given = getenv("GATEHOUSE_WWW");
    char path[PATH_MAX];

    if (given != NULL && given[0] != '\0')
        return static_files_load_from(given, out, cause);
    if (access("www/index.html", R_OK) == 0)
        return static_files_load_from("www", out, cause);
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        if (beside_program(places[i], path))
            return static_files_load_from(path, out, cause);
    }
    log_warn("http", "the page's folder www is not found: GATEHOUSE_WWW can name it");
    *out = calloc(1, sizeof(**out));
    return *out != NULL ? ERR_OK : cause_set(cause, ERR_NO_MEMORY, "no memory for the page");
}

void static_files_free(struct static_files *files)
{
    if (files == NULL)
        return;
    for (size_t i = 0; i < files->count; i++)
        free(files->list[i].bytes);
    free(files->list);
    free(files);
}

size_t static_files_count(const struct static_files *files)
{
    return files->count;
}

static const struct static_file *find_file(const struct static_files *files, const char *path)
{
    struct static_file key;

    if (!static_path_resolve(path, key.name) || files->count == 0)
        return NULL;
    return bsearch(&key, files->list, files->count, sizeof(*files->list), by_name);
}

bool static_files_has(const struct static_files *files, const char *path)
{
    return find_file(files, path) != NULL;
}

void static_files_reply(const struct static_files *files, struct http_request *request)
{
    const struct static_file *file = find_file(files, http_request_path(request));
    struct http_reply reply = HTTP_REPLY_INIT;

    if (file == NULL) {
        http_reply_text(request, 404, "there is no such page\n");
        return;
    }
    const struct http_header headers[] = {
        {"ETag", file->etag},
        /* Asked for again each time; most answers are then a 304. */
        {"Cache-Control", "no-cache"},
        {"Content-Security-Policy",
         "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
         "form-action 'self'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {NULL, NULL},
    };
    reply.headers = headers;
    reply.type = file->type;
    if (static_etag_matches(http_request_header(request, "If-None-Match"), file->etag)) {
        reply.status = 304;
    } else {
        reply.body = file->bytes;
        reply.len = file->len;
        /* The table outlives each request: it is freed after the adapter. */
        reply.body_static = true;
    }
    http_reply(request, &reply);
}
