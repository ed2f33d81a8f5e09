// The mock's routes of the memory.

import { Memory, MemoryError } from "./memory.mjs";
import { sample } from "./memory-sample.mjs";

export class Memories {
  constructor() {
    this.fill();
  }

  /** All as it was at the beginning. */
  fill() {
    this.users = new Map();
    sample((user) => this.of(user));
  }

  of(user) {
    if (!this.users.has(user)) this.users.set(user, new Memory(user));
    return this.users.get(user);
  }
}

export async function memoryRoute({ settings, memories }, request, body) {
  if (!settings.memory)
    throw new MemoryError("no memory is served here; start the server with --memory", 404, "memory_off");
  const { pathname, searchParams } = new URL(request.url, "http://mock");
  const values = Object.fromEntries(searchParams);
  const user = values.user ?? "me";
  const known = memories.users.get(user);
  const memory = known ?? new Memory(user);
  const [what = "", id] = pathname.slice("/v1/memory".length).replace(/^\//, "").split("/");
  const asked = request.method === "GET" ? {} : JSON.parse((await body(request)).toString());
  const list = (data) => ({ object: "list", data });
  switch (`${request.method} ${what}${id ? "/" : ""}`) {
    case "GET ":
      return {
        object: "memory",
        tenant: "local",
        user,
        users: [...memories.users.keys()],
        states: memory.states(),
        items: memory.items.length,
        entries: memory.log.length,
        head: memory.head,
        encoder: settings.encoder,
        extraction: null,
      };
    case "POST items":
      return memories.of(user).add(asked);
    case "GET items":
      return list(memory.list(values, (item) => item.learned));
    case "GET items/":
      return memory.detail(id);
    case "PATCH items/":
      return memory.change(id, asked);
    case "POST search":
      return memory.search(asked);
    case "GET timeline":
      return list(
        memory.list(values, (item) => item.valid_from ?? item.learned).filter((item) => item.text !== undefined),
      );
    case "POST forget":
      return memory.forget(asked);
    case "POST rollback":
      return memory.rollback(asked);
    case "GET audit":
      return memory.audit();
    case "GET verify":
      return memory.verify(values.head, settings.faults);
    case "GET log": {
      const from = Number(values.from ?? 1);
      return list(memory.log.slice(from - 1, from - 1 + Number(values.most ?? 1000)));
    }
    case "GET policy":
      return memory.policy;
    case "PUT policy":
      return { ...Object.assign(memory.policy, asked), due: memory.audit().expired.length };
    case "GET export":
      return memory.items.map((item) => `${JSON.stringify(item)}\n`).join("");
    default:
      throw new MemoryError(`there is nothing at ${request.method} ${pathname}`, 404, "not_found");
  }
}
