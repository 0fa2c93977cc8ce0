// A handler of the event `fetch`, as browsers have it in service workers.

addEventListener("fetch", (event) => event.respondWith(respond(event.request)));

async function respond(request) {
  const { pathname } = new URL(request.url);
  return Response.json({ method: request.method, path: pathname, body: await request.text() });
}
