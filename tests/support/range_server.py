"""A file server on the loopback address for tests/scripts/downloads.sh: ranges, ETags, and every kind of bad day.

    range_server.py FOLDER PORT_FILE [--no-ranges] [--no-version] [--cut BYTES] [--cuts N] [--hang] [--log FILE]

--cut closes the connection after so many bytes of a body, for the first --cuts responses (default: all); with
--hang it leaves the connection open and sends nothing more. Appends one line
"PATH RANGE STATUS" a request to the log. Files named *.redirect hold the path to which they redirect.
"""
import argparse
import hashlib
import http.server
import os
import re
import time

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("port_file")
parser.add_argument("--no-ranges", action="store_true")
parser.add_argument("--no-version", action="store_true")
parser.add_argument("--cut", type=int, default=0)
parser.add_argument("--cuts", type=int, default=1 << 30)
parser.add_argument("--hang", action="store_true")
parser.add_argument("--log")
arguments = parser.parse_args()
cuts_left = arguments.cuts


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, headers, body=b""):
        global cuts_left
        if arguments.log:
            with open(arguments.log, "a") as log:
                log.write(f"{self.path} {self.headers.get('Range', '-')} {status}\n")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status in (200, 206) and 0 < arguments.cut < len(body) and cuts_left > 0:
            cuts_left -= 1
            self.wfile.write(body[:arguments.cut])
            self.wfile.flush()
            if arguments.hang:
                time.sleep(600)
            self.close_connection = True
        else:
            self.wfile.write(body)

    def do_GET(self):
        path = os.path.join(arguments.folder, self.path.lstrip("/"))
        if os.path.isfile(path + ".redirect"):
            with open(path + ".redirect") as file:
                return self.answer(302, {"Location": file.read().strip(), "ETag": '"of-the-redirect"'})
        if os.path.isfile(path + ".status"):
            with open(path + ".status") as file:
                return self.answer(int(file.read()), {}, b"no")
        if not os.path.isfile(path):
            return self.answer(404, {"Content-Type": "text/html"}, b"<html>not found</html>")
        with open(path, "rb") as file:
            body = file.read()
        version = '"' + hashlib.md5(body).hexdigest() + '"'
        headers = {} if arguments.no_version else {"ETag": version}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and not arguments.no_ranges and self.headers.get("If-Range", version) == version:
            begin = int(wanted[1])
            if begin >= len(body):
                return self.answer(416, {"Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
            return self.answer(206, headers, body[begin:])
        return self.answer(200, headers, body)

    def log_message(self, *unused):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *unused):  # clients that hang up are what this is about
        pass


with Server(("127.0.0.1", 0), Handler) as server:
    with open(arguments.port_file + ".new", "w") as port_file:
        port_file.write(str(server.server_address[1]))
    os.rename(arguments.port_file + ".new", arguments.port_file)
    server.serve_forever()
