/** What all panels are steered by: the view, words or tokens, the step of decoding. */

import { html, identity } from "./dom.js";
import type { State, Store, View } from "./state.js";

const NAMES: Record<View, string> = { arcs: "Arcs", map: "Heat map", beam: "Beam" };
const PACE = 1100; // milliseconds a step while it plays

export class Toolbar {
  readonly element: HTMLElement;
  private readonly views = html("div", "av-views", { role: "radiogroup", "aria-label": "view" });
  private readonly words = html("input", "", { type: "checkbox" });
  private readonly slider = html("input", "", { type: "range", min: 1, max: 1, step: 1, "aria-label": "step of decoding" });
  private readonly where = html("output", "av-where");
  private readonly all = this.button("Whole", "the whole sentence", () => this.store.set({ step: null }));
  private readonly playing = this.button("Play", "play the decoding", () => this.play());
  private readonly merge: HTMLElement;
  private timer: ReturnType<typeof setInterval> | undefined;
  private steps = 0;

  constructor(private readonly store: Store) {
    const back = this.button("‹", "one word back", () => this.move(-1));
    const on = this.button("›", "one word on", () => this.move(1));
    const stepping = html("div", "av-steps", { role: "group", "aria-label": "decoding, step by step" });
    stepping.append(back, this.slider, on, this.where, this.all, this.playing);
    this.merge = html("label", "av-check", {}, this.words, " whole words");
    this.element = html("div", "av-toolbar", {}, this.views, this.merge, stepping);
    this.slider.addEventListener("input", () => this.store.set({ step: Number(this.slider.value) - 1, over: null }));
    this.words.addEventListener("change", () => this.store.set({ words: this.words.checked, step: null, over: null }));
  }

  /** Offer these views, if there is more than one. */
  offer(views: readonly View[], subwords: boolean): void {
    const name = identity("view");
    const choices = views.map((view) => {
      const input = html("input", "", { type: "radio", name, value: view });
      input.addEventListener("change", () => this.store.set({ view, over: null }));
      return html("label", "av-view", {}, input, html("span", "", {}, NAMES[view]));
    });
    this.views.replaceChildren(...choices);
    this.views.hidden = views.length < 2;
    this.merge.hidden = !subwords;
  }

  update(state: State, steps: number): void {
    this.steps = steps;
    for (const input of this.views.querySelectorAll("input")) input.checked = input.value === state.view;
    this.words.checked = state.words;
    this.slider.max = String(Math.max(steps, 1));
    this.slider.disabled = steps === 0;
    this.slider.value = String((state.step ?? steps - 1) + 1);
    this.slider.setAttribute("aria-valuetext", state.step === null ? "the whole sentence" : `step ${state.step + 1} of ${steps}`);
    this.where.textContent = state.step === null ? `all ${steps}` : `${state.step + 1} of ${steps}`;
    this.all.disabled = state.step === null;
    if (state.step === null || state.step >= steps - 1) this.stop();
  }

  /** Go some steps on, from the whole sentence to its beginning or end. */
  move(by: number): void {
    const { step } = this.store.state;
    if (this.steps === 0) return;
    const from = step ?? (by > 0 ? -1 : this.steps - 1);
    this.go(from + by);
  }

  go(step: number): void {
    if (this.steps > 0) this.store.set({ step: Math.max(0, Math.min(this.steps - 1, step)), over: null });
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.playing.textContent = "Play";
  }

  private play(): void {
    if (this.timer !== undefined) return this.stop();
    const { step } = this.store.state;
    this.go(step === null || step >= this.steps - 1 ? 0 : step + 1);
    this.playing.textContent = "Pause";
    this.timer = setInterval(() => this.move(1), PACE);
  }

  private button(text: string, name: string, act: () => void): HTMLButtonElement {
    const button = html("button", "av-button", { type: "button", "aria-label": name, title: name }, text);
    button.addEventListener("click", act);
    return button;
  }
}
