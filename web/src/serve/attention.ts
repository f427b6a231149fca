/** Where the model looked while it wrote the sentence that is selected. */

import type { Panel } from "./messages.js";

interface View {
  update(document: unknown): void;
  destroy(): void;
}

declare global {
  /** Set by attention.js, which the page loads before this script. */
  // eslint-disable-next-line no-var
  var seq2seqAttention: { mountAttention(element: HTMLElement, document: unknown, options?: object): View };
}

export class Attention {
  #view: View | null = null;

  constructor(
    readonly section: HTMLElement,
    readonly root: HTMLElement,
  ) {}

  /** Draw a sentence; another one takes its place. */
  show(panel: Panel | null): void {
    this.section.hidden = panel === null;
    if (panel === null) return;
    const document = { format: "seq2seq_attn attention 1", title: "", panels: [panel] };
    if (this.#view) this.#view.update(document);
    else this.#view = seq2seqAttention.mountAttention(this.root, document, {});
  }
}
