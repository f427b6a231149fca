/** Elements from data: text is only ever text, styles only ever properties, so that the strictest policy holds. */

type Attributes = Record<string, string | number | boolean | undefined>;
type Child = Node | string | null | undefined;

const SVG = "http://www.w3.org/2000/svg";

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined));
  return element;
}

/** Make an element of HTML; its class comes first, an empty one is left out. */
export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  style: string,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), { class: style || undefined, ...attributes }, children);
}

/** Make an element of SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  style: string,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(SVG, tag), { class: style || undefined, ...attributes }, children);
}

/** Set one of the style's own properties, such as --weight. */
export function setProperty(element: HTMLElement | SVGElement, name: string, value: number | string): void {
  element.style.setProperty(name, String(value));
}

/** Set text only where it changes, so that nothing is read out twice. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

let made = 0;

/** Return an id that no other element has. */
export function identity(name: string): string {
  made += 1;
  return `attention-${name}-${made}`;
}

let pen: CanvasRenderingContext2D | null | undefined;

/** Return how wide a label of our drawings is, in pixels. */
export function textWidth(text: string): number {
  pen ??= document.createElement("canvas").getContext("2d");
  if (!pen) return text.length * 8;
  pen.font = "13px system-ui, sans-serif";
  return pen.measureText(text).width;
}
