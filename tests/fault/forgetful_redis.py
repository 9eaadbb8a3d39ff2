"""A Redis that says yes to all and keeps nothing, for services whose Kafka forgets its commits (mock_broker.c)."""
import socketserver
import threading


class Conversation(socketserver.StreamRequestHandler):
    def handle(self):
        while (words := self.words()) is not None:
            self.wfile.write(self.answer(words))

    def words(self):
        head = self.rfile.readline()
        if not head:
            return None
        return [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]

    def answer(self, words):
        verb = words[0].upper()
        if verb == b"PING":
            return b"+PONG\r\n"
        if verb == b"SCRIPT":
            return b"-ERR no scripts here\r\n"                   # then they are spelled out each time
        if verb == b"EVAL" and b"'FOREIGN'" in words[1]:         # the question for a shard's state
            return b"*3\r\n:%d\r\n$0\r\n\r\n*0\r\n" % (int(words[4]) + 1)
        return b"+APPLIED\r\n"


class ForgetfulRedis(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Conversation)
        self.url = f"redis://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()
