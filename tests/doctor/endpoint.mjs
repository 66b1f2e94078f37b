// Endpoints with Stripe's own library, one way of connecting it a mode. Prints its port.
import http from 'node:http';
import tls from 'node:tls';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const mode = process.argv[2];

if (mode === 'tls-too-old') {
  const server = tls.createServer({
    key: fs.readFileSync(process.argv[3]),
    cert: fs.readFileSync(process.argv[4]),
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
} else {
  const require = createRequire(process.env.PACKAGES + '/');
  const Stripe = require('stripe');
  const stripe = new Stripe('sk_test_none');
  const secret = process.env.STRIPE_WEBHOOK_SECRET;
  const payload = (raw) => {
    if (mode === 'stringified') return JSON.stringify(JSON.parse(raw));
    if (mode === 'parsed') return JSON.parse(raw);
    return raw;
  };
  const server = http.createServer((request, response) => {
    const end = (status, text) => response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    if (request.url === '/healthz') return end(200, '{"ok":true}');
    if (request.url !== '/hook') return end(404, '{}');
    if (request.method !== 'POST') return end(405, '{}');
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const raw = Buffer.concat(parts);
      let body;
      try {
        body = payload(raw);
      } catch {
        return end(400, '{"error":"no JSON"}');
      }
      try {
        stripe.webhooks.constructEvent(body, request.headers['stripe-signature'], secret);
      } catch (error) {
        return end(400, '{"error":"bad signature"}');
      }
      return end(200, '{"received":true}');
    });
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}
