// Where lanes lie: a lane is as high as its rows of overlapping calls need. Lanes that were never seen count one row.

export const LANE_PAD = 6;
export const ROW_GAP = 2;

/** @param {number} rows @returns {number} pixels of one bar's height */
export const rowHeight = (rows) => (rows <= 1 ? 20 : rows <= 3 ? 16 : 11);

/** @param {number} rows @returns {number} pixels of the whole lane */
export const laneHeight = (rows) => 2 * LANE_PAD + rows * rowHeight(rows) + (rows - 1) * ROW_GAP;

const MOST_ROWS = 8;

export class LaneGeometry {
  /** @type {Uint8Array} */
  #rows = new Uint8Array(0);
  /** Tops of the lanes and, last, the end of the last one. @type {Float64Array} */
  #tops = new Float64Array(1);
  #stale = false;

  /** @returns {number} how many lanes there are */
  get count() {
    return this.#rows.length;
  }

  /** @param {number} count */
  resize(count) {
    if (count === this.#rows.length) return;
    const rows = new Uint8Array(count).fill(1);
    rows.set(this.#rows.subarray(0, Math.min(count, this.#rows.length)));
    this.#rows = rows;
    this.#tops = new Float64Array(count + 1);
    this.#stale = true;
  }

  /**
   * A lane needs so many rows. Lanes only grow, so that nothing jumps while one scrolls through time.
   * @param {number} index @param {number} rows
   */
  grow(index, rows) {
    if (index >= this.#rows.length || rows <= this.#rows[index]) return;
    this.#rows[index] = Math.min(MOST_ROWS, rows);
    this.#stale = true;
  }

  /** @param {number} index @returns {number} */
  rows(index) {
    return this.#rows[index] ?? 1;
  }

  /** @param {number} index `count` gives the end of all @returns {number} */
  top(index) {
    if (this.#stale) this.#measure();
    return this.#tops[Math.max(0, Math.min(index, this.count))];
  }

  /** @param {number} index */
  height(index) {
    return laneHeight(this.rows(index));
  }

  /** @returns {number} */
  get total() {
    return this.top(this.count);
  }

  /** @param {number} y @returns {number} the lane at that height, the last one below all; 0 when there is none */
  at(y) {
    if (this.#stale) this.#measure();
    let low = 0;
    let high = Math.max(0, this.count - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #measure() {
    for (let index = 0, top = 0; index <= this.count; index++) {
      this.#tops[index] = top;
      if (index < this.count) top += this.height(index);
    }
    this.#stale = false;
  }
}
