"""Apicurio Registry as a child process of a test: Confluent's REST protocol, its data in a folder of the test's."""
import json
import subprocess
import urllib.error
import urllib.request

import stack

SOURCE = stack.TREE / "tests" / "support" / "apicurio"


def home():
    done = subprocess.run(["bash", "-c", '. "$1" && . "$2" && apicurio_home', "home",
                           stack.TREE / "services" / "kafka" / "start.sh", SOURCE / "fetch.sh"],
                          capture_output=True, text=True, check=True)
    return done.stdout.strip()


class SchemaRegistry(stack.Child):
    """Keeps its port and, as its data are in a file, its ids from one launch to the next."""

    def __init__(self, folder):
        self.folder, self.port = folder / "registry", stack.free_port()
        self.folder.mkdir()
        self.url = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"
        runner = next(stack.pathlib.Path(home()).glob("*-runner.jar"))
        super().__init__("registry", [*stack.DIES_WITH_US, "java", "-Xmx256m", "-XX:+UseSerialGC",
                                      "-XX:TieredStopAtLevel=1", "-jar", runner], self.folder / "registry.log")

    def start(self):
        self.launch(REGISTRY_DATASOURCE_URL=f"jdbc:h2:file:{self.folder}/data;WRITE_DELAY=0",
                    QUARKUS_HTTP_HOST="127.0.0.1",
                    QUARKUS_HTTP_PORT=str(self.port))
        stack.wait_until("the registry answers", 60, lambda: self.request("/subjects")[0] == 200)
        return self

    def request(self, path, body=None):
        """(status, object); (0, why) where nothing answers."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.url + path, data,
                                       {"Content-Type": "application/vnd.schemaregistry.v1+json"})
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def register(self, subject, schema, references=()):
        """The id."""
        status, found = self.request(f"/subjects/{subject}/versions",
                                     {"schema": json.dumps(schema), "references": list(references)})
        assert status == 200, found
        return found["id"]
