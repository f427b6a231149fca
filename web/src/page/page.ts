/** What the page does: type, see the translation as it is decoded, and where the model looked. */

import { isSupported } from "../exported/runtime.js";
import { mountAttention, type AttentionView } from "../view/index.js";
import { Alternatives } from "./alternatives.js";
import { element, languageName } from "./elements.js";
import type { ModelFacts, Place, Reply, Request } from "./messages.js";

const MOST_CHARACTERS = 2000;
const PAUSE = 250; // milliseconds without a key before a text is translated

const source = element<HTMLTextAreaElement>("source");
const target = element("target");
const beam = element<HTMLInputElement>("beam");
const typing = element<HTMLInputElement>("typing");
const status = element("status");

let worker: Worker | null = null;
let number = 0; // of the newest request; answers to older ones are late
let waiting: ReturnType<typeof setTimeout> | undefined;
let attention: AttentionView | null = null;
const alternatives = new Alternatives(target, element("alternatives"), (prefix) => translate(prefix));

function send(request: Request): void {
  worker?.postMessage(request);
}

function notice(message: string): void {
  const place = element("notice");
  place.textContent = message;
  place.hidden = false;
}

/** Say why nothing can be translated here. */
function giveUp(message: string): void {
  notice(message);
  status.textContent = "";
  element("progress").hidden = true;
}

function translate(prefix: readonly number[] = []): void {
  clearTimeout(waiting);
  number += 1;
  const text = source.value.replace(/\s*\n\s*/g, " ").trim();
  const beamSize = Math.min(Math.max(Math.round(Number(beam.value)) || 1, 1), 20);
  beam.value = String(beamSize);
  status.textContent = text ? "Translating …" : "";
  send({ kind: "translate", number, asked: { text, beamSize, prefix } });
}

/** Cut a text that is longer than anything that is read, and say so. */
function cut(): void {
  const { value } = source;
  if (value.length <= MOST_CHARACTERS) {
    element("remark").textContent = "";
    return;
  }
  const end = (value.codePointAt(MOST_CHARACTERS - 1) ?? 0) > 0xffff ? MOST_CHARACTERS - 1 : MOST_CHARACTERS;
  source.value = value.slice(0, end);
  element("remark").textContent =
    `The text had ${value.length.toLocaleString("en")} characters; it was cut after ${end.toLocaleString("en")}.`;
}

function ready(model: ModelFacts): void {
  const [from, to] = [languageName(model.source), languageName(model.target)];
  element("title").textContent = `${from} to ${to}`;
  element("model").textContent =
    `${model.name}: ${model.attention}, ${model.precision}. The model runs in this page; nothing you type leaves it.`;
  element("source-label").textContent = `Text in ${from}`;
  source.lang = model.source;
  target.lang = model.target;
  beam.value = String(model.beamSize);
  if (model.missing.length) {
    const names = model.missing.map((name) => `decoding.${name}`).join(", ");
    notice(`This model is configured for ${names}, which pages do not have: here it translates without.`);
  }
  source.disabled = false;
  element<HTMLButtonElement>("translate").disabled = false;
  element("progress").hidden = true;
  status.textContent = "Ready.";
  source.focus();
  if (source.value.trim()) translate();
}

function show(reply: Extract<Reply, { kind: "result" }>): void {
  alternatives.show(reply.tokens);
  const remarks = [`${(reply.milliseconds / 1000).toFixed(2)} s`];
  if (reply.truncated) remarks.push("the text was longer than the model reads, its end is left out");
  if (!reply.finished) remarks.push("the translation was cut at its longest length");
  status.textContent = reply.tokens.length ? `Translated in ${remarks.join("; ")}.` : "";
  const place = element("attention");
  if (!reply.tokens.length) {
    attention?.destroy();
    attention = null;
  } else if (attention) {
    attention.update(reply.document);
  } else {
    attention = mountAttention(place, reply.document);
  }
}

function answer({ data }: MessageEvent<Reply>): void {
  switch (data.kind) {
    case "progress": {
      const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
      status.textContent = `Loading the model: ${megabytes(data.read)} of ${megabytes(data.total)} MB`;
      element<HTMLProgressElement>("progress").value = data.read / data.total;
      break;
    }
    case "ready":
      ready(data.model);
      break;
    case "failed":
      giveUp(data.message);
      break;
    case "partial":
      if (data.number === number) alternatives.partial(data.text);
      break;
    case "result":
      if (data.number === number) show(data);
      break;
    case "error":
      if (data.number === number) status.textContent = data.message;
      break;
  }
}

function listen(): void {
  element("form").addEventListener("submit", (event) => {
    event.preventDefault();
    translate();
  });
  source.addEventListener("input", () => {
    cut();
    clearTimeout(waiting);
    if (typing.checked) waiting = setTimeout(translate, PAUSE);
  });
  source.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    translate();
  });
  beam.addEventListener("change", () => translate());
}

/** Where a page has its worker, and its worker the model. */
export interface Opened {
  readonly worker: Worker;
  readonly place: Place;
}

/** Begin, with what `open` finds; it throws where a page cannot work, with the reason. */
export async function start(open: () => Opened | Promise<Opened>): Promise<void> {
  if (!isSupported()) {
    giveUp(
      "This browser has no WebAssembly SIMD, which the model runs on. Use Chrome or Edge 91, Firefox 89, Safari 16.4, " +
        "or anything later.",
    );
    return;
  }
  try {
    const opened = await open();
    listen();
    worker = opened.worker;
    worker.addEventListener("message", answer);
    worker.addEventListener("error", (event) => giveUp(`The worker failed: ${event.message || "it cannot be loaded"}.`));
    send({ kind: "load", place: opened.place });
  } catch (error) {
    giveUp((error as Error).message);
  }
}
