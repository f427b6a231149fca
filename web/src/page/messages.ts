/** What the page and its worker say to one another. */

import type { AttentionDocument } from "../view/document.js";

/** Where the worker finds the model and the runtime: by address, or handed over with the page. */
export type Place =
  | { readonly model: string; readonly runtime: string }
  | { readonly files: Readonly<Record<string, Uint8Array>>; readonly runtime: Uint8Array };

/** How to translate. */
export interface Asked {
  readonly text: string;
  readonly beamSize: number;
  readonly prefix: readonly number[];
}

/** Said by the page; a new request ends the one before. */
export type Request = { readonly kind: "load"; readonly place: Place } | { readonly kind: "translate"; readonly number: number; readonly asked: Asked };

/** A token of the translation, and what else the model thought of. */
export interface ShownToken {
  readonly id: number;
  readonly surface: string;
  readonly special: boolean;
  readonly alternatives: readonly { readonly id: number; readonly surface: string; readonly token: string; readonly logProb: number }[];
}

/** What is known of the model. */
export interface ModelFacts {
  readonly name: string;
  readonly source: string;
  readonly target: string;
  readonly attention: string;
  readonly precision: string;
  readonly beamSize: number;
  readonly missing: readonly string[];
}

/** Said by the worker; `number` is that of the request. */
export type Reply =
  | { readonly kind: "progress"; readonly read: number; readonly total: number }
  | { readonly kind: "ready"; readonly model: ModelFacts }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "partial"; readonly number: number; readonly text: string }
  | {
      readonly kind: "result";
      readonly number: number;
      readonly tokens: readonly ShownToken[];
      readonly document: AttentionDocument;
      readonly finished: boolean;
      readonly truncated: boolean;
      readonly milliseconds: number;
    }
  | { readonly kind: "error"; readonly number: number; readonly message: string };
