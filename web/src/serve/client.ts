/** Requests to the server. */

import { readEvents } from "./events.js";
import type { Models, News, Panel, Request } from "./messages.js";

const TOKEN = "seq2seq-attn.token";

/** The server said no. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly mend: string,
    /** Seconds after which to try again; null: it will not help. */
    readonly retryAfter: number | null,
  ) {
    super(message);
  }
}

export class Client {
  #token = recall();

  set token(token: string) {
    this.#token = token.trim();
    keep(this.#token);
  }

  async models(): Promise<Models> {
    const answer = await reach("models", { headers: this.#headers() });
    if (!answer.ok) throw await refusal(answer);
    return (await answer.json()) as Models;
  }

  /** Return what the attention view draws of a sentence, with the tree of its hypotheses. */
  async attend(text: string, model: string, beamSize: number | undefined): Promise<Panel> {
    const headers = { ...this.#headers(), "Content-Type": "application/json" };
    const body = JSON.stringify({ text, model, beam_size: beamSize, beam: true });
    const answer = await reach("attend", { method: "POST", headers, body });
    if (!answer.ok) throw await refusal(answer);
    return ((await answer.json()) as { panels: [Panel] }).panels[0];
  }

  /** Translate, and give what is new until all is there. */
  async *translate(request: Request, signal: AbortSignal): AsyncGenerator<News> {
    const headers = { ...this.#headers(), "Content-Type": "application/json" };
    const answer = await reach("translate/stream", { method: "POST", headers, body: JSON.stringify(request), signal });
    if (!answer.ok || !answer.body) throw await refusal(answer);
    let isWhole = false;
    for await (const { name, data } of readEvents(answer.body)) {
      const content = JSON.parse(data);
      if (name === "partial" || name === "result") yield { kind: name, ...content } as News;
      else if (name === "error") throw new Refused(200, content.error.message, content.error.mend, null);
      else if (name === "end") isWhole = true;
    }
    if (!isWhole) throw new Refused(200, "the answer broke off", "try again", null);
  }

  #headers(): Record<string, string> {
    return this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
  }
}

/** Ask the server; say so where it cannot be reached. */
async function reach(path: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused(0, "the server does not answer", "is it still running?", null);
  }
}

async function refusal(answer: Response): Promise<Refused> {
  const wait = Number(answer.headers.get("Retry-After"));
  const retryAfter = wait > 0 ? wait : null;
  try {
    const { error } = await answer.json();
    return new Refused(answer.status, error.message, error.mend, retryAfter);
  } catch {
    return new Refused(answer.status, `the server answered ${answer.status}`, "try again later", retryAfter);
  }
}

// Storage may be switched off; then the token lives as long as the page.

function recall(): string {
  try {
    return sessionStorage.getItem(TOKEN) ?? "";
  } catch {
    return "";
  }
}

function keep(token: string): void {
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {
    // see above
  }
}
