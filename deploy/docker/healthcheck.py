"""Asks the program of this container whether it is ready; status 1 where it is not. Takes the port.

Without the package, whose import would take longer than the question.
"""

import http.client
import sys


def ready(port: int) -> bool:
    """Whether the program at this port of the container answers that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not ready(int(sys.argv[1])))
