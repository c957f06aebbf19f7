"""Types at the prompt of `ernie sql` on a terminal: sql_prompt.py ERNIE DATABASE

Editing, history, ^C in a line and in a statement, ^D. XDG_STATE_HOME says where the
history goes."""
import os
import pty
import select
import sys
import time

ernie, database = sys.argv[1:]


class Prompt:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(ernie, [ernie, "sql", "--db", database])
        self.seen = ""
        self.expect("ernie> ")

    def expect(self, words, seconds=60):
        """Reads until words are seen; returns what came up to their end."""
        end = time.monotonic() + seconds
        while words not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"no {words!r} in {self.seen!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:  # the other end is closed
                    data = b""
                assert data, f"ended without {words!r}: {self.seen!r}"
                self.seen += data.decode(errors="replace")
        head, _, self.seen = self.seen.partition(words)
        return head + words

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, keys):
        """Types keys and waits for the program's end; its exit status. They are typed again
        after a while, on a line that ^U has emptied: a terminal that is just changing its
        mode may swallow ^D, or put it into the line."""
        try:
            for _ in range(10):
                self.type(keys)
                keys = "\x15" + keys.lstrip("\x15")
                end = time.monotonic() + 6
                while time.monotonic() < end:
                    if select.select([self.fd], [], [], 1)[0]:
                        data = os.read(self.fd, 65536)
                        if not data:
                            raise OSError
                        self.seen += data.decode(errors="replace")
            raise AssertionError(f"goes on after {self.seen!r}")
        except OSError:  # the other end is closed
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


p = Prompt()
p.type("SELECT 'x' || 41 + 1 AS answer,\n")
p.expect("...> ")
p.type("ernie_embed('茶') AS v, NULL AS n;\n")
p.expect("answer")
p.expect("<384 floats>  NULL")
p.expect("ernie> ")

p.type("SELEC 1;\n")
p.expect('syntax error')
p.expect("ernie> ")

p.type("SELECT 'left")
time.sleep(0.3)
p.type("\x03")  # ^C drops the line
p.expect("ernie> ")
p.type("SELECT 'still ' || 'here' AS s;\n")
p.expect("still here")
p.expect("ernie> ")

p.type("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c;\n")
time.sleep(0.5)
p.type("\x03")  # ^C ends the statement, not the program
p.expect("interrupted")
p.expect("ernie> ")

p.type("\x10\x10\n")  # ^P twice: the statement before
p.expect("still here")
p.expect("ernie> ")
assert p.end("\x04") == 0

path = os.path.join(os.environ["XDG_STATE_HOME"], "ernie", "sql_history")
assert os.stat(path).st_mode & 0o077 == 0
p = Prompt()
p.type("\x10\n")  # from the session before
p.expect("still here")
p.expect("ernie> ")
assert p.end(".quit\n") == 0
