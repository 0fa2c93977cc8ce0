// Sends a request that expects 100, and its body only when that has come.
//
//     node expect.mjs URL BODY_BYTES [CERTIFICATE]
//
// Prints as JSON what came: the version, whether there was a 100, the status and the body.
// HTTP/2 is spoken where a certificate is given, and where the URL begins with `h2c:`, which is
// HTTP/2 without TLS.

import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";

const [address, bytes, certificate] = process.argv.slice(2);
const isHttp2 = address.startsWith("h2");
const url = new URL(address.replace(/^h2c:/, "http:").replace(/^h2:/, "https:"));
const ca = certificate && fs.readFileSync(certificate);
const body = JSON.stringify({ message: "a".repeat(Number(bytes)) });
const fields = {
  "content-type": "application/json",
  "content-length": body.length,
  expect: "100-continue",
};
let continued = false;

function finish(version, status, text) {
  const line = JSON.stringify({ version, continued, status, body: text });
  process.stdout.write(`${line}\n`, () => process.exit(0));
}

function collect(stream, done) {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (piece) => (text += piece));
  stream.on("end", () => done(text));
}

setTimeout(() => {
  console.error("nothing came for two minutes");
  process.exit(1);
}, 120_000);

if (isHttp2) {
  const session = http2.connect(url.origin, { ca });
  const stream = session.request(
    { ":method": "POST", ":path": url.pathname, ...fields },
    { endStream: false },
  );
  let status;
  stream.on("continue", () => {
    continued = true;
    stream.end(body);
  });
  stream.on("response", (headers) => (status = headers[":status"]));
  collect(stream, (text) => finish("2", status, text));
} else {
  const { request } = url.protocol === "https:" ? https : http;
  const sent = request(url, { method: "POST", headers: fields, ca });
  sent.on("continue", () => {
    continued = true;
    sent.end(body);
  });
  sent.on("response", (response) =>
    collect(response, (text) => finish(response.httpVersion, response.statusCode, text)),
  );
  sent.flushHeaders();
}
