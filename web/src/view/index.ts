/** The attention view: where a model looked, as arcs and as a heat map, step by step, and what its beam held. */

import { checkDocument, type AttentionDocument } from "./document.js";
import { html } from "./dom.js";
import { PanelView } from "./panel.js";
import { recall, remember, Store, type View } from "./state.js";
import { Toolbar } from "./toolbar.js";
import { units } from "./units.js";

export { FORMAT, type AttentionDocument, type AttentionMap, type Beam, type BeamNode, type Panel, type Token } from "./document.js";
export type { View } from "./state.js";

export interface Options {
  /** What is shown first; what the reader chose the last time comes before it. */
  view?: View;
  /** Whether subwords are merged to words at first. */
  words?: boolean;
  /** Under what name the browser keeps what the reader chose; null: nothing is kept. */
  remember?: string | null;
  /** Whether a single panel has its name over it; several always have. */
  named?: boolean;
}

export interface AttentionView {
  /** Draw another document in the place of this one; what is chosen stays. */
  update(document: AttentionDocument): void;
  /** Go to a step of decoding, counted from 0; null: the whole sentence. */
  step(step: number | null): void;
  show(view: View): void;
  /** Take the view away. */
  destroy(): void;
}

const PAPER = 680; // pixels between the margins of A4 and Letter

/**
 * Draw an attention document into an element, in the place of what is there.
 *
 * Throws an Error where the document is none, or its weights do not fit its tokens.
 */
export function mountAttention(element: HTMLElement, found: AttentionDocument, options: Options = {}): AttentionView {
  const key = options.remember === undefined ? "seq2seq-attn.attention" : options.remember;
  const store = new Store({ view: "arcs", words: false, step: null, over: null });
  store.state = { ...store.state, ...pick(options), ...recall(key) };
  const toolbar = new Toolbar(store);
  const sheet = html("div", "av-panels");
  const root = html("div", "attention-view", { role: "group", "aria-label": "attention" }, toolbar.element, sheet);
  let panels: PanelView[] = [];
  let current = checkDocument(found);

  let chosen = store.state.view; // by people; another one is shown where a document does not have it

  const steps = (): number => Math.max(0, ...panels.map((panel) => panel.grid.rows.length));

  function draw(): void {
    if (panels.length !== current.panels.length) {
      panels = current.panels.map((_, number) => new PanelView(store, number, tell));
      sheet.replaceChildren(...panels.map((panel) => panel.element));
      sheet.dataset["panels"] = String(panels.length);
    }
    const views: View[] = ["arcs", "map"];
    if (current.panels.some((panel) => panel.beam)) views.push("beam");
    store.state = { ...store.state, view: views.includes(chosen) ? chosen : "arcs" };
    const tokens = current.panels.flatMap((panel) => [panel.source_tokens, panel.tokens]);
    const subwords = tokens.some((some) => units(some, true).length < some.length);
    toolbar.offer(views, subwords);
    panels.forEach((panel, number) => panel.show(current.panels[number]!, options.named === true || panels.length > 1));
    tell();
  }

  /** Let the toolbar know how far a step can be, and the step, too. */
  function tell(): void {
    const { step } = store.state;
    if (step !== null && step >= steps()) store.state = { ...store.state, step: steps() > 0 ? steps() - 1 : null };
    toolbar.update(store.state, steps());
  }

  store.subscribe((state, before) => {
    if (state.words !== before.words) for (const panel of panels) panel.redraw();
    else for (const panel of panels) panel.update(state);
    tell();
    if (state.view !== before.view) chosen = state.view;
    if (state.view !== before.view || state.words !== before.words) remember(key, state);
    if (state.step !== null && state.step !== before.step) for (const panel of panels) panel.follow(state.step);
  });

  function press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if ((event.target as Element).closest("input, select, textarea, summary, [role=tree]")) return;
    if (event.key === "ArrowRight") toolbar.move(1);
    else if (event.key === "ArrowLeft") toolbar.move(-1);
    else if (event.key === "Home") toolbar.go(0);
    else if (event.key === "End") toolbar.go(steps() - 1);
    else if (event.key === "Escape") store.set({ step: null, over: null });
    else return;
    event.preventDefault();
  }

  function print(printed: boolean): void {
    root.classList.toggle("av-printed", printed);
    for (const panel of panels) panel.print(printed ? PAPER : null);
  }

  const before = (): void => print(true);
  const after = (): void => print(false);
  root.addEventListener("keydown", press);
  addEventListener("beforeprint", before);
  addEventListener("afterprint", after);
  element.replaceChildren(root);
  draw();
  return {
    update(document) {
      current = checkDocument(document);
      store.state = { ...store.state, over: null };
      draw();
    },
    step: (step) => store.set({ step }),
    show: (view) => store.set({ view }),
    destroy() {
      toolbar.stop();
      removeEventListener("beforeprint", before);
      removeEventListener("afterprint", after);
      root.remove();
    },
  };
}

function pick(options: Options): { view?: View; words?: boolean } {
  return {
    ...(options.view === undefined ? {} : { view: options.view }),
    ...(options.words === undefined ? {} : { words: options.words }),
  };
}
