// Sends TLS connections of this Node process for listed hosts to doubles: for apps with hard-coded API hosts.
//
//   HOOKDRILL_HOSTS="api.hubapi.com=http://127.0.0.1:4101,*.zendesk.com=http://127.0.0.1:4102"
//   NODE_OPTIONS="--require /path/to/hookdrill-shim.cjs"
//
// It stands where sockets are opened (tls.connect, net.connect), so http, https, fetch and what is built on them are served alike.
// Hosts that are not listed are left alone. For tests only: to a listed host nothing is encrypted.
"use strict";

const http = require("node:http");
const net = require("node:net");
const tls = require("node:tls");
const { syncBuiltinESMExports } = require("node:module");

const NAME = "HOOKDRILL_HOSTS";

function complain(what) {
  throw new Error(`${NAME}: ${what}; write host=http://127.0.0.1:port, several with commas between them`);
}

function listed(text) {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .map((entry) => {
      const [host, url, more] = entry.split("=").map((part) => part.trim());
      if (!host || !url || more !== undefined) complain(`\`${entry}\` is no host and its double`);
      let double;
      try {
        double = new URL(url);
      } catch {
        complain(`\`${url}\` is no URL`);
      }
      if (double.protocol !== "http:" || !double.port) complain(`\`${url}\` is no http URL with a port`);
      if (!["127.0.0.1", "localhost", "[::1]"].includes(double.hostname)) complain(`\`${url}\` is not on this machine`);
      return { host: host.toLowerCase(), to: { host: double.hostname.replace(/^\[|\]$/g, ""), port: Number(double.port) } };
    });
}

const hosts = listed(process.env[NAME] ?? "");

/// The double of a host, if it has one: by its name, or by `*.` and the end of it.
function doubleOf(host) {
  const name = typeof host === "string" ? host.toLowerCase().replace(/\.$/, "") : "";
  const found = hosts.find(({ host: of }) => of === name || (of.startsWith("*.") && name.endsWith(of.slice(1)) && name !== of.slice(2)));
  return found?.to;
}

/// Arguments of net.connect and tls.connect: options, or port and host; a listener may come last.
function asked(args) {
  const list = Array.isArray(args[0]) ? args[0] : args;
  const listener = typeof list[list.length - 1] === "function" ? list[list.length - 1] : undefined;
  if (typeof list[0] === "object" && list[0] !== null) return { options: list[0], listener };
  const further = list.find((one, at) => at > 0 && typeof one === "object" && one !== null) ?? {};
  return { options: { ...further, port: list[0], host: typeof list[1] === "string" ? list[1] : further.host }, listener };
}

const realNet = net.connect;
const realTls = tls.connect;

/// A plain connection that whoever waits for TLS takes for one.
function instead(to, options, listener) {
  const socket = realNet({ host: to.host, port: to.port, signal: options.signal, highWaterMark: options.highWaterMark });
  const certificate = { subject: { CN: options.servername ?? options.host }, subjectaltname: `DNS:${options.servername ?? options.host}` };
  Object.assign(socket, {
    encrypted: true,
    authorized: true,
    authorizationError: null,
    alpnProtocol: false,
    servername: options.servername ?? options.host,
    getPeerCertificate: () => certificate,
    getCipher: () => ({ name: "none", standardName: "none", version: "none" }),
    getProtocol: () => null,
    getSession: () => undefined,
    isSessionReused: () => false,
    setServername: () => {},
    setSession: () => {},
    setMaxSendFragment: () => true,
    disableRenegotiation: () => {},
  });
  if (listener) socket.once("secureConnect", listener);
  socket.once("connect", () => socket.emit("secureConnect"));
  return socket;
}

if (hosts.length > 0) {
  tls.connect = function connect(...args) {
    const { options, listener } = asked(args);
    // Over a socket that is there already (a proxy's tunnel) the bytes go where it goes.
    const to = options.socket ? undefined : doubleOf(options.servername || options.host) ?? doubleOf(options.host);
    return to ? instead(to, options, listener) : realTls.apply(this, args);
  };
  const plain = function connect(...args) {
    const { options, listener } = asked(args);
    const to = doubleOf(options.host ?? options.hostname);
    if (!to) return realNet.apply(this, args);
    const socket = realNet({ ...options, ...to, path: undefined });
    if (listener) socket.once("connect", listener);
    return socket;
  };
  net.connect = plain;
  net.createConnection = plain;
  http.Agent.prototype.createConnection = plain;
  // `import { connect } from "node:tls"` sees the same.
  syncBuiltinESMExports();
}
