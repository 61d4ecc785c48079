"""Calls of a daemon's API over one kept connection."""

import http.client
import json


class Api:
    def __init__(self, port, headers):
        # a list of 100,000 torrents takes some programs more than a minute
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self.headers = headers

    def get(self, path):
        return self._call("GET", path, None)

    def rpc(self, method, arguments):
        return self._call("POST", "/transmission/rpc", json.dumps({"method": method, "arguments": arguments}))

    def _call(self, method, path, body):
        for _ in range(2):
            self.connection.request(method, path, body, self.headers)
            answer = self.connection.getresponse()
            content = answer.read()
            if answer.status == 200:
                return content
            if answer.status != 409:
                break
            # the guard of the Transmission RPC against other web sites
            self.headers["X-Transmission-Session-Id"] = answer.headers["X-Transmission-Session-Id"]
        raise OSError(f"{path} answers {answer.status}: {content[:200]}")
