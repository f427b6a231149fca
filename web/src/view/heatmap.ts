/** The weights as a grid: a row per unit that looks, a column per unit that is looked at. */

import { html, svg, textWidth } from "./dom.js";
import type { Actions, Line, Marks } from "./arcs.js";
import type { Grid, Unit } from "./units.js";

const SMALLEST = 17; // pixels a side, for labels that can be read
const LARGEST = 46;
const EASY = 28; // what is as large is not made smaller to be seen at a glance
const ROOM_FOR_NUMBERS = 28;
const LETTERS = 22; // longer labels are cut
const SEEN = 0.0005; // smaller weights could not be seen
/* From these weights on a number needs the other color to be read, on a light page and on a dark one. */
const STRONG = 0.82;
const BRIGHT = 0.57;

export class Heatmap {
  readonly element: HTMLElement;
  private readonly scroller: HTMLElement;
  private readonly cells = svg("svg", "av-cells");
  private readonly top = svg("svg", "av-top");
  private readonly left = svg("svg", "av-left");
  private readonly corner = html("div", "av-corner", { "aria-hidden": "true" });
  private readonly rowBand = svg("rect", "av-band");
  private readonly columnBand = svg("rect", "av-band");
  private grid: Grid | null = null;
  private lines: [Line, Line] | null = null;
  private marks: Marks = { row: null, column: null, written: null, at: null };
  private cell = 0;
  private width = 0;

  constructor(private readonly actions: Actions) {
    this.scroller = html(
      "div",
      "av-heat",
      { tabindex: 0, role: "application", "aria-roledescription": "heat map" },
      html("div", "av-sheet", {}, this.corner, this.top, this.left, this.cells),
    );
    this.element = html("div", "av-map", {}, this.scroller);
    for (const [part, row, column] of [
      [this.cells, true, true],
      [this.top, false, true],
      [this.left, true, false],
    ] as const) {
      for (const kind of ["pointermove", "click"] as const) {
        part.addEventListener(kind, (event) => this.point(event, part, row, column));
      }
    }
    this.scroller.addEventListener("pointerleave", () => actions.leave());
    this.scroller.addEventListener("focusout", () => actions.leave());
    this.scroller.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => {
      if (this.element.clientWidth && this.element.clientWidth !== this.width) this.draw();
    }).observe(this.element);
  }

  show(grid: Grid, above: Line, below: Line): void {
    this.grid = grid;
    this.lines = [above, below];
    this.scroller.setAttribute(
      "aria-label",
      `attention weights, ${grid.rows.length} of ${below.name} by ${grid.columns.length} of ${above.name}; arrow keys move`,
    );
    this.draw();
  }

  /** Move the lines that cross at the cell in question. */
  mark(marks: Marks): void {
    this.marks = marks;
    const { grid, cell } = this;
    if (grid === null) return;
    const { row, column, written } = marks;
    const columns = grid.columns.length;
    place(this.rowBand, row !== null, 0, (row ?? 0) * cell, columns * cell, cell);
    place(this.columnBand, column !== null, this.x(column ?? 0), 0, cell, grid.rows.length * cell);
    const last = written ?? Infinity;
    [...this.left.children].forEach((text, index) => {
      text.classList.toggle("av-chosen", index === row);
      text.classList.toggle("av-unwritten", index > last);
    });
    [...this.top.children].forEach((text, index) => text.classList.toggle("av-chosen", index === column));
    for (const group of this.cells.querySelectorAll<SVGGElement>("g")) {
      group.classList.toggle("av-off", Number(group.dataset["row"]) > last);
    }
  }

  /** Draw for a width that is not the element's, such as that of paper. */
  draw(width = this.element.clientWidth): void {
    const { grid, lines } = this;
    this.width = width; // 0 while it is hidden, so that it is drawn when it is seen again
    if (grid === null || lines === null || !width) return;
    const side = Math.ceil(Math.max(24, ...grid.rows.map((unit) => textWidth(name(unit))))) + 12;
    const longest = Math.ceil(Math.max(12, ...grid.columns.map((unit) => textWidth(name(unit)))));
    const room = Math.floor((width - side - 8) / Math.max(grid.columns.length, 1));
    const fits = Math.floor((0.78 * innerHeight - longest) / Math.max(grid.rows.length, 1));
    this.cell = Math.max(SMALLEST, Math.min(LARGEST, room, Math.max(EASY, fits)));
    const flat = longest + 6 <= this.cell;
    const turned = flat ? 0 : this.cell < 28 ? 90 : 45;
    const above = flat ? 24 : Math.ceil(longest * Math.sin((turned * Math.PI) / 180)) + 18;
    const over = turned === 45 ? Math.ceil(longest * 0.71) : 0;
    this.writeTop(above, turned, over, lines[0]);
    this.writeLeft(side, lines[1]);
    this.drawCells();
    this.mark(this.marks);
  }

  private writeTop(height: number, turned: number, over: number, line: Line): void {
    const { cell } = this;
    const columns = this.grid!.columns;
    size(this.top, columns.length * cell + over, height);
    const texts = columns.map((unit, index) => {
      const x = this.x(index) + cell / 2 + (turned ? 4 : 0);
      const turn = turned ? ` rotate(${-turned})` : "";
      const anchor = turned ? "start" : "middle";
      return svg("text", labelStyle(unit), { transform: `translate(${x} ${height - 6})${turn}`, "text-anchor": anchor }, name(unit));
    });
    this.top.replaceChildren(...texts);
    this.top.setAttribute("aria-label", line.name);
  }

  private writeLeft(width: number, line: Line): void {
    const { cell } = this;
    const rows = this.grid!.rows;
    size(this.left, width, rows.length * cell);
    const texts = rows.map((unit, index) =>
      svg("text", labelStyle(unit), { x: width - 6, y: index * cell + cell / 2 + 4, "text-anchor": "end" }, name(unit)),
    );
    this.left.replaceChildren(...texts);
    this.left.setAttribute("aria-label", line.name);
  }

  private drawCells(): void {
    const { cell } = this;
    const { rows, columns, weights } = this.grid!;
    size(this.cells, columns.length * cell + 1, rows.length * cell + 1);
    const frame = svg("rect", "av-frame", { x: 0.5, y: 0.5, width: columns.length * cell, height: rows.length * cell });
    const lines: string[] = [];
    for (let column = 1; column < columns.length; column += 1) lines.push(`M${column * cell + 0.5} 0V${rows.length * cell}`);
    for (let row = 1; row < rows.length; row += 1) lines.push(`M0 ${row * cell + 0.5}H${columns.length * cell}`);
    const drawn = weights.map((row, index) => svg("g", "", { "data-row": index }, ...this.drawRow(row, index)));
    this.cells.replaceChildren(svg("path", "av-rules", { d: lines.join("") }), ...drawn, frame, this.rowBand, this.columnBand);
  }

  private drawRow(weights: number[], row: number): SVGElement[] {
    const { cell } = this;
    const drawn: SVGElement[] = [];
    weights.forEach((weight, column) => {
      if (weight < SEEN) return;
      const x = this.x(column);
      const opacity = Math.min(weight, 1).toFixed(4);
      drawn.push(svg("rect", "av-cell", { x, y: row * cell, width: cell, height: cell, "fill-opacity": opacity }));
      if (cell < ROOM_FOR_NUMBERS || weight < 0.005) return;
      const style = `av-value${weight > STRONG ? " av-strong" : ""}${weight > BRIGHT ? " av-bright" : ""}`;
      drawn.push(svg("text", style, { x: x + cell / 2, y: row * cell + cell / 2 + 4, "text-anchor": "middle" }, weight.toFixed(2)));
    });
    return drawn;
  }

  /** Where a column begins: those of a sentence that is read from the right begin at the right. */
  private x(column: number): number {
    const columns = this.grid?.columns.length ?? 0;
    return (this.lines?.[0].direction === "rtl" ? columns - 1 - column : column) * this.cell;
  }

  private point(event: MouseEvent, part: SVGElement, byRow: boolean, byColumn: boolean): void {
    const { grid, cell } = this;
    if (grid === null) return;
    const box = part.getBoundingClientRect();
    const across = Math.floor((event.clientX - box.left) / cell);
    const row = byRow ? Math.floor((event.clientY - box.top) / cell) : null;
    const column = byColumn ? (this.lines![0].direction === "rtl" ? grid.columns.length - 1 - across : across) : null;
    if (row !== null && !grid.rows[row]) return;
    if (column !== null && !grid.columns[column]) return;
    if (event.type === "click") {
      if (row !== null && (getSelection()?.isCollapsed ?? true)) this.stand(row);
    } else if (row === this.marks.row && column === this.marks.column) return;
    this.actions.over(row, column);
  }

  /** Let decoding stand at a row, or no longer. */
  private stand(row: number): void {
    this.actions.step(this.marks.at === row ? null : row);
  }

  private press(event: KeyboardEvent): void {
    const { grid } = this;
    if (grid === null || event.altKey || event.ctrlKey || event.metaKey) return;
    const turned = this.lines![0].direction === "rtl" ? -1 : 1;
    const moves: Record<string, [number, number]> = {
      ArrowRight: [0, turned],
      ArrowLeft: [0, -turned],
      ArrowDown: [1, 0],
      ArrowUp: [-1, 0],
      Home: [0, -Infinity],
      End: [0, Infinity],
    };
    const move = moves[event.key];
    if (event.key === "Enter" && this.marks.row !== null) {
      this.stand(this.marks.row);
    } else if (move !== undefined) {
      const fresh = this.marks.row === null || this.marks.column === null;
      const row = limit((this.marks.row ?? 0) + (fresh ? 0 : move[0]), grid.rows.length);
      const column = limit((this.marks.column ?? 0) + (fresh ? 0 : move[1]), grid.columns.length);
      this.actions.over(row, column);
      this.reveal(row, column);
    } else return;
    event.preventDefault();
  }

  /** Scroll the box, not the page, until a cell can be seen. */
  private reveal(row: number, column: number): void {
    const { scroller, cell } = this;
    const aside = this.left.getBoundingClientRect().width;
    const above = this.top.getBoundingClientRect().height;
    const x = this.x(column);
    const y = row * cell;
    scroller.scrollLeft = limitTo(scroller.scrollLeft, x + cell - (scroller.clientWidth - aside), x);
    scroller.scrollTop = limitTo(scroller.scrollTop, y + cell - (scroller.clientHeight - above), y);
  }
}

function name(unit: Unit): string {
  const letters = [...unit.label];
  const text = letters.length > LETTERS ? `${letters.slice(0, LETTERS - 1).join("")}…` : unit.label;
  return unit.goesOn ? `·${text}` : text; // the rest of a word is marked as such
}

function labelStyle(unit: Unit): string {
  return `av-label${unit.special ? " av-special" : ""}${unit.unknown ? " av-unknown" : ""}`;
}

function size(part: SVGSVGElement, width: number, height: number): void {
  part.setAttribute("width", String(width));
  part.setAttribute("height", String(height));
}

function place(rect: SVGRectElement, shown: boolean, x: number, y: number, width: number, height: number): void {
  const values = { x: x + 0.5, y: y + 0.5, width, height, visibility: shown ? "visible" : "hidden" };
  for (const [key, value] of Object.entries(values)) rect.setAttribute(key, String(value));
}

function limit(value: number, count: number): number {
  return Math.max(0, Math.min(count - 1, value));
}

function limitTo(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
