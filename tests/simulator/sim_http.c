/* SPDX-License-Identifier: MIT
 *
 * One libcurl easy handle a call, on libuv's thread pool. Phones and cameras of the old system
 * open a connection for each call too, so no connection is kept.
 */
#include "tests/simulator/sim_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define HTTP_CONNECT_MS  3000L
#define HTTP_ALL_MS      30000L
#define HTTP_BODY_MAX    ((size_t)16 << 20)
#define HTTP_BEARER_SIZE 300

struct http_call {
    uv_work_t work;
    struct sim *sim;
    sim_http_done_fn *done;
    void *owner;
    CURL *curl;
    curl_mime *mime;
    struct curl_slist *headers;
    struct buf body;
    long status;
    double took_s;
    char fault[CURL_ERROR_SIZE];
};

static void call_free(struct http_call *call)
{
    curl_easy_cleanup(call->curl);
    curl_mime_free(call->mime);
    curl_slist_free_all(call->headers);
    buf_free(&call->body);
    free(call);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct buf *body = arg;
    buf_add(body, bytes, size * count);
    return size * count;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    const struct sim *sim = arg;
    return atomic_load(&sim->abort_http) ? 1 : 0;
}

static bool call_add_header(struct http_call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    if (longer == NULL)
        return false;
    call->headers = longer;
    return true;
}

static bool call_add_file(struct http_call *call, const struct sim_http_ask *ask)
{
    call->mime = curl_mime_init(call->curl);
    curl_mimepart *part = call->mime == NULL ? NULL : curl_mime_addpart(call->mime);
    return part != NULL && curl_mime_name(part, "file") == CURLE_OK &&
           curl_mime_filename(part, ask->file_name) == CURLE_OK &&
           curl_mime_type(part, ask->file_type) == CURLE_OK &&
           curl_mime_data(part, ask->file, ask->file_len) == CURLE_OK &&
           curl_easy_setopt(call->curl, CURLOPT_MIMEPOST, call->mime) == CURLE_OK;
}

static bool call_set_up(struct http_call *call, const struct sim_http_ask *ask)
{
    CURL *curl = call->curl;
    const char *token = call->sim->options->token;
    char bearer[HTTP_BEARER_SIZE];
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token);
    if (ask->with_token && token[0] != '\0' && !call_add_header(call, bearer))
        return false;
    if (ask->json != NULL && !call_add_header(call, "Content-Type: application/json"))
        return false;
    if (ask->file != NULL && !call_add_file(call, ask))
        return false;
    if (ask->file == NULL && strcmp(ask->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, ask->json == NULL ? "" : ask->json);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, HTTP_CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, HTTP_ALL_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->fault);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &call->body);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, call->sim);
    return curl_easy_setopt(curl, CURLOPT_URL, ask->url) == CURLE_OK;
}

static void on_work(uv_work_t *work)
{
    struct http_call *call = work->data;
    const CURLcode code = curl_easy_perform(call->curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &call->status);
    else if (call->fault[0] == '\0')
        snprintf(call->fault, sizeof call->fault, "%s", curl_easy_strerror(code));
    curl_easy_getinfo(call->curl, CURLINFO_TOTAL_TIME, &call->took_s);
}

static void on_worked(uv_work_t *work, int status)
{
    (void)status;
    struct http_call *call = work->data;
    const struct sim_http_reply reply = {
        .status = call->status,
        .fault = call->fault,
        .body = call->body.data == NULL ? "" : call->body.data,
        .len = call->body.len,
        .took_ms = call->took_s * 1000,
    };
    call->done(call->owner, &reply);
    call_free(call);
}

bool sim_http_send(struct sim *sim, const struct sim_http_ask *ask, sim_http_done_fn *done,
                   void *owner)
{
    struct http_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return false;
    call->sim = sim;
    call->done = done;
    call->owner = owner;
    call->work.data = call;
    buf_init(&call->body, HTTP_BODY_MAX);
    call->curl = curl_easy_init();
    if (call->curl == NULL || !call_set_up(call, ask) ||
        uv_queue_work(&sim->loop, &call->work, on_work, on_worked) != 0) {
        call_free(call);
        return false;
    }
    return true;
}

void sim_url_add(struct buf *url, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        const bool plain = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') ||
                           (*at >= 'A' && *at <= 'Z') || strchr("-._~", *at) != NULL;
        if (plain)
            buf_add(url, at, 1);
        else
            buf_addf(url, "%%%02X", *at);
    }
}
