"""A log that flows for as long as a test needs it to, and the reckoning at its end."""
import gzip
import json

import pane_ledger
import result_set
import stack

PIECE_SECONDS = 2


class Feed:
    """Sends the log a piece at a time, each by a `plumb send` of its own, as a serving app that is started anew."""

    def __init__(self, pipeline, path, analyzed, rate=50):
        self.pipeline, self.path, self.analyzed = pipeline, path, analyzed
        self.rate, self.piece_seconds = rate, PIECE_SECONDS
        with gzip.open(path, "rt") as file:
            self.lines = file.readlines()
        self.sent = 0

    def flow(self):
        """Called again and again: keeps the log flowing, until all but the last piece is sent."""
        sender = self.pipeline.sender
        if sender is not None and sender.is_alive():
            return
        assert sender is None or sender.process.returncode == 0, sender.tail()
        piece = self.rate * self.piece_seconds
        if self.sent + piece < len(self.lines):
            self.send(self.sent + piece, "--rate", str(self.rate))

    def send(self, end, *options):
        piece = self.pipeline.folder / "piece.jsonl"
        piece.write_text("".join(self.lines[self.sent:end]))
        self.sent = end
        self.pipeline.send(piece, *options)

    def wait_until(self, what, seconds, condition):
        """As stack.wait_until, while the log flows."""
        def kept_flowing():
            self.flow()
            return condition()
        return stack.wait_until(what, seconds, kept_flowing)

    def flow_for(self, seconds):
        end = stack.time.monotonic() + seconds
        self.wait_until("time goes on", seconds + 10, lambda: stack.time.monotonic() >= end)

    def settle(self, seconds=60):
        """The rest at once; then what the services found is what analyze finds, and every pane is what the log says."""
        if self.pipeline.sender is not None:
            self.pipeline.wait_sent()
        self.send(len(self.lines), "--close")
        self.pipeline.wait_sent()
        self.pipeline.wait_drained(seconds)
        live = result_set.of_pipeline(self.pipeline)
        assert not (said := result_set.difference(live, self.analyzed, "live", "analyze")), said
        pane_ledger.check(self.pipeline.bootstrap, self.path)
        count = len(self.lines)
        assert json.loads(self.pipeline.summary()) == {"events_in": count, "validated": count, "dead_lettered": 0}
        for service in self.pipeline.services.values():
            assert service.get("/healthz")[0] == 200, service.tail()
