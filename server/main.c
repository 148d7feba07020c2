/* SPDX-License-Identifier: MIT
 *
 * Where the process starts: it is either the command line or, as a child of its own, on the way to
 * become the broker.
 */
#include <string.h>

#include "mqtt/broker.h"
#include "server/cli.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "broker-child") == 0)
        return broker_child_main(argc, argv);
    return cli_main(argc, argv);
}
