// An application of Hono.

import { Hono } from "hono";
import { fire } from "hono/service-worker";

const app = new Hono();
app.get("/", (context) => context.text("hello from hono"));
app.get("/items/:item", (context) => context.text(context.req.param("item")));
app.post("/orders", async (context) => context.json(await context.req.json()));

fire(app);
