/** Server-sent events, read from the answer to a POST: `EventSource` can only GET, and shows no token. */

export interface ServerEvent {
  name: string;
  data: string;
}

/** Give the events of a stream as they come; lines may end in any of the three ways, and chunks anywhere. */
export async function* readEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
export class EventParser {
  #rest = "";
  #name = "message";
  #data: string[] = [];

  /** Take the next piece of text; return the events that it completes. */
  push(text: string): ServerEvent[] {
    const found: ServerEvent[] = [];
    const held = this.#rest + text;
    const end = held.endsWith("\r") ? held.length - 1 : held.length; // its \n may be on the way
    const lines = held.slice(0, end).split(/\r\n|\n|\r/);
    this.#rest = lines.pop()! + held.slice(end);
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length) found.push({ name: this.#name, data: this.#data.join("\n") });
        this.#name = "message";
        this.#data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const key = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (key === "event") this.#name = value;
      else if (key === "data") this.#data.push(value);
    }
    return found;
  }
}
