"""Sends connections of this Python process for listed hosts to doubles: for apps with hard-coded API hosts.

    HOOKDRILL_HOSTS="api.hubapi.com=http://127.0.0.1:4101,*.zendesk.com=http://127.0.0.1:4102"
    PYTHONPATH=/path/to/the/folder/of/this/file

It stands where names are looked up and TLS begins (socket.getaddrinfo, ssl.SSLContext), so http.client, urllib3, requests, httpx
and asyncio are served alike. Hosts that are not listed are left alone. For tests only: to a listed host nothing is encrypted.
"""

import os
import sys

NAME = "HOOKDRILL_HOSTS"


def _listed(text):
    from urllib.parse import urlsplit

    hosts = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        host, equals, url = (part.strip() for part in entry.partition("="))
        try:
            double = urlsplit(url)
            fine = equals and host and double.scheme == "http" and double.port
        except ValueError:
            fine = False
        if not fine:
            raise SystemExit(f"{NAME}: `{entry}` is no host and its double; write host=http://127.0.0.1:port")
        if double.hostname not in ("127.0.0.1", "localhost"):
            raise SystemExit(f"{NAME}: `{url}` is not on this machine; write http://127.0.0.1:port")
        hosts.append((host.lower(), "127.0.0.1", double.port))
    return hosts


def _install(hosts):
    import socket
    import ssl

    def double_of(host):
        if isinstance(host, (bytes, bytearray)):
            host = bytes(host).decode("ascii", "replace")
        if not isinstance(host, str):
            return None
        name = host.lower().rstrip(".")
        for of, address, port in hosts:
            if of == name or (of.startswith("*.") and name.endswith(of[1:]) and name != of[2:]):
                return address, port
        return None

    # Some libraries keep the port that they were asked for and take of a look-up the address alone: each listed host gets an
    # address of its own, which is turned into its double's where sockets connect.
    stand_ins = {}

    def stand_in(double):
        for address, of in stand_ins.items():
            if of == double:
                return address
        address = f"127.77.{len(stand_ins) // 250}.{len(stand_ins) % 250 + 1}"
        stand_ins[address] = double
        return address

    getaddrinfo = socket.getaddrinfo

    def looked_up(host, port, *args, **kwargs):
        double = double_of(host)
        if double is None:
            return getaddrinfo(host, port, *args, **kwargs)
        try:
            number = int(port or 0)
        except ValueError:
            number = socket.getservbyname(str(port), "tcp")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (stand_in(double), number))]

    def moved(address):
        return stand_ins.get(address[0], address) if isinstance(address, tuple) and address else address

    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    socket.getaddrinfo = looked_up
    socket.socket.connect = lambda self, address: connect(self, moved(address))
    socket.socket.connect_ex = lambda self, address: connect_ex(self, moved(address))

    class Session:
        """What callers ask of a TLS connection."""

        server_side = False
        session = None
        session_reused = False

        def getpeercert(self, binary_form=False):
            return b"" if binary_form else {"subjectAltName": (("DNS", self.server_hostname),)}

        def selected_alpn_protocol(self):
            return None

        def selected_npn_protocol(self):
            return None

        def cipher(self):
            return ("none", "none", 0)

        def shared_ciphers(self):
            return None

        def compression(self):
            return None

        def version(self):
            return None

        def do_handshake(self, *_):
            return None

        def get_channel_binding(self, cb_type="tls-unique"):
            return None

        def pending(self):
            return 0

    class Plain(Session, socket.socket):
        """A plain socket in the place of one with TLS."""

        def unwrap(self):
            return self

        def read(self, n=1024, buffer=None):
            return self.recv(n) if buffer is None else self.recv_into(buffer, n)

        def write(self, data):
            return self.send(data)

    class Passed(Session):
        """Bytes that pass as they are, in the place of an SSLObject (asyncio, anyio)."""

        def __init__(self, context, incoming, outgoing, server_hostname):
            self.context, self._in, self._out, self.server_hostname = context, incoming, outgoing, server_hostname

        def read(self, n=1024, buffer=None):
            data = self._in.read(n if buffer is None else min(n, len(buffer)))
            if not data and not self._in.eof:
                raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "nothing has come yet")
            if buffer is None:
                return data
            buffer[: len(data)] = data
            return len(data)

        def write(self, data):
            return self._out.write(data)

        def unwrap(self):
            return None

        def pending(self):
            return self._in.pending

    wrap_socket, wrap_bio = ssl.SSLContext.wrap_socket, ssl.SSLContext.wrap_bio

    def socket_wrapped(self, sock, server_side=False, *args, **kwargs):
        host = kwargs.get("server_hostname") or next((arg for arg in args if isinstance(arg, (str, bytes))), None)
        if server_side or double_of(host) is None:
            return wrap_socket(self, sock, server_side, *args, **kwargs)
        timeout = sock.gettimeout()
        plain = Plain(sock.family, sock.type, sock.proto, fileno=sock.detach())
        plain.settimeout(timeout)
        plain.context, plain.server_hostname = self, host
        return plain

    def bio_wrapped(self, incoming, outgoing, server_side=False, server_hostname=None, session=None):
        if server_side or double_of(server_hostname) is None:
            return wrap_bio(self, incoming, outgoing, server_side, server_hostname, session)
        return Passed(self, incoming, outgoing, server_hostname)

    ssl.SSLContext.wrap_socket = socket_wrapped
    ssl.SSLContext.wrap_bio = bio_wrapped


def _chain():
    """Runs the sitecustomize that this one stands before, if there is one."""
    import importlib.machinery

    here = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if os.path.abspath(path or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        import importlib.util

        spec.loader.exec_module(importlib.util.module_from_spec(spec))


_hosts = _listed(os.environ.get(NAME, ""))
if _hosts:
    _install(_hosts)
_chain()
