/* SPDX-License-Identifier: MIT
 *
 * TLS towards a broker elsewhere. The library would check the certificate against the host given to
 * its connect call, which is a numeric address here, and would send that address as server name; so
 * it gets a context of our own that carries the configured name for both. TLS 1.2 at least, the
 * chain and the name are always checked.
 */
#include "mqtt/mqtt_priv.h"

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "server/base/err.h"

#define SYSTEM_CA_DIR "/etc/ssl/certs"

static bool is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The library sets its connect address as the server name (RFC 6066 section 3) when it makes the
 * SSL object; the handshake begins later, and this puts the right one in its place. */
static void on_info(const SSL *ssl, int where, int ret)
{
    (void)ret;
    if (where & SSL_CB_HANDSHAKE_START) {
        struct mqtt_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
        client->tls_refused = X509_V_OK;
        SSL_set_tlsext_host_name((SSL *)ssl, is_numeric(client->o.host) ? NULL : client->o.host);
    }
}

/* The library throws the SSL object away before anybody could ask it why. */
static int on_verify(int ok, X509_STORE_CTX *store)
{
    if (!ok) {
        const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
        struct mqtt_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
        client->tls_refused = X509_STORE_CTX_get_error(store);
    }
    return ok;
}

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_get_error());
    return reason != NULL ? reason : "unknown reason";
}

enum err mqtt_tls_new(struct mqtt_client *client, struct cause *cause)
{
    const struct mqtt_options *options = &client->o;
    ERR_clear_error();
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL)
        return cause_set(cause, ERR_NO_MEMORY, "TLS can't be set up: %s", openssl_reason());
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_app_data(tls, client);
    SSL_CTX_set_info_callback(tls, on_info);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);

    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int named = is_numeric(options->host) ? X509_VERIFY_PARAM_set1_ip_asc(param, options->host)
                                          : X509_VERIFY_PARAM_set1_host(param, options->host, 0);
    bool own = options->ca_file[0] != '\0';
    int loaded = own ? SSL_CTX_load_verify_file(tls, options->ca_file)
                     : SSL_CTX_load_verify_dir(tls, SYSTEM_CA_DIR);
    if (named != 1 || loaded != 1) {
        enum err failed =
            cause_set(cause, ERR_BAD_INPUT, "%s: %s; check mqtt.ca_file",
                      own ? options->ca_file : SYSTEM_CA_DIR,
                      named != 1 ? "the broker's name can't be checked" : openssl_reason());
        SSL_CTX_free(tls);
        return failed;
    }
    client->tls = tls;
    return ERR_OK;
}
