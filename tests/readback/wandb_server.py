"""A server that answers `wandb sync` as far as uploads need it, and keeps what it is sent.

Only for tests: it listens on 127.0.0.1, takes any key, and knows nothing of accounts. What wandb 0.31 asks was found by
running it.
"""

import gzip
import http.server
import json
import re
import threading


class Server:
    """One server, one run: what was uploaded lies in the members."""

    def __init__(self):
        self.lock = threading.Lock()
        self.graphql = []        # (operation, variables) in the order of the requests
        self.stream = []         # bodies of file_stream
        self.uploads = {}        # name -> bytes: files of the run, as "run/NAME", entries of artifacts as "artifact/ID/NAME"
        self.artifacts = {}      # id -> the input of CreateArtifact, with "manifest", "files" and "state"
        self.unknown = []        # requests that no answer was known for
        handler = type("Handler", (_Handler,), {"server_state": self})
        self.http = _Quiet(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    # What the stream of the run came to.

    def lines(self, name):
        """The lines of a streamed file, put where their offsets say."""
        lines = {}
        for body in self.stream:
            part = (body.get("files") or {}).get(name)
            if part:
                for number, line in enumerate(part["content"]):
                    lines[part["offset"] + number] = line
        assert sorted(lines) == list(range(len(lines))), f"{name}: lines are missing"
        return [lines[number] for number in range(len(lines))]

    def ends(self):
        """(complete, exitcode) of the bodies that end the stream."""
        return [(body.get("complete"), body.get("exitcode")) for body in self.stream if body.get("complete") is not None]

    # Answers to GraphQL, by operation.

    def answer(self, operation, query, variables):
        if operation == "UpsertBucket":
            project = {"id": "project", "name": variables.get("project") or "uncategorized",
                       "entity": {"id": "entity", "name": variables.get("entity") or "nobody"}}
            bucket = {"id": "bucket", "name": variables["name"], "displayName": variables.get("displayName"),
                      "description": None, "config": variables.get("config"), "sweepName": None,
                      "historyLineCount": 0, "project": project}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if operation == "ServerFeaturesQuery":
            return {"serverInfo": {"features": []}}
        if operation == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": f"{self.url}/upload/run/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "bucket", "uploadHeaders": [], "files": files}}
        if operation == "CreateArtifact":
            made = dict(variables["input"], state="PENDING", files=[])
            number = str(len(self.artifacts))
            self.artifacts[number] = made
            return {"createArtifact": {"artifact": {"id": number, "state": "PENDING",
                                                    "artifactSequence": {"latestArtifact": None}}}}
        if operation in ("CreateArtifactManifest", "UpdateArtifactManifest"):
            artifact = variables.get("artifactID") or variables["artifactManifestID"]
            file = {"id": artifact, "uploadUrl": f"{self.url}/upload/artifact/{artifact}/manifest", "uploadHeaders": [],
                    "displayName": variables.get("fileName") or "wandb_manifest.json"}
            key = operation[0].lower() + operation[1:]
            return {key: {"artifactManifest": {"id": artifact, "file": file}}}
        if operation == "CreateArtifactFiles":
            edges = []
            for file in variables["input"]["artifactFiles"] if "input" in variables else variables["artifactFiles"]:
                artifact = file["artifactID"]
                self.artifacts[artifact]["files"].append(file)
                edges.append({"node": {"id": file["name"], "name": file["name"], "displayName": file["name"],
                                       "uploadUrl": f"{self.url}/upload/artifact/{artifact}/files/{file['name']}",
                                       "uploadHeaders": [], "storagePath": file["name"], "uploadMultipartUrls": None,
                                       "artifact": {"id": artifact}}})
            return {"createArtifactFiles": {"files": {"edges": edges}}}
        if operation == "CommitArtifact":
            self.artifacts[variables["artifactID"]]["state"] = "COMMITTED"
            return {"commitArtifact": {"artifact": {"id": variables["artifactID"], "digest": ""}}}
        self.unknown.append((operation, query, variables))
        return {}


class _Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # the client closes its connections as it ends


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state = None

    def log_message(self, *_):
        pass

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        state, body = self.server_state, self._body()
        with state.lock:
            if self.path == "/graphql":
                request = json.loads(body)
                operation = re.search(r"(?:query|mutation)\s+(\w+)", request["query"]).group(1)
                variables = request.get("variables") or {}
                state.graphql.append((operation, variables))
                self._reply({"data": state.answer(operation, request["query"], variables)})
            elif self.path.endswith("/file_stream"):
                state.stream.append(json.loads(body))
                self._reply({"exitcode": None, "limits": {}})
            else:
                state.unknown.append(("POST " + self.path, body[:1000], None))
                self._reply({})

    def do_PUT(self):
        state, body = self.server_state, self._body()
        with state.lock:
            if self.path.startswith("/upload/"):
                from urllib.parse import unquote
                state.uploads[unquote(self.path[len("/upload/"):])] = body
            else:
                state.unknown.append(("PUT " + self.path, body[:1000], None))
        self._reply({})

    def do_GET(self):
        self._body()
        self.server_state.unknown.append(("GET " + self.path, b"", None))
        self._reply({})
