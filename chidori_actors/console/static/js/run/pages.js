// The rows of a long list, fetched in pages when they are needed.

const MOST_PAGES = 40;

/** @template Row */
export class Pages {
  /** @type {Map<number, Row[]>} */
  #pages = new Map();
  /** @type {Set<number>} */
  #asked = new Set();
  #generation = 0;
  total = 0;
  loaded = false;

  /**
   * @param {number} size rows of a page
   * @param {(offset: number, limit: number) => Promise<{rows: Row[], total: number}>} get
   * @param {() => void} changed
   * @param {(fault: unknown) => void} failed
   */
  constructor(size, get, changed, failed) {
    this.size = size;
    this.get = get;
    this.changed = changed;
    this.failed = failed;
  }

  /** @param {number} index @returns {Row | undefined} */
  row(index) {
    return this.#pages.get(Math.floor(index / this.size))?.[index % this.size];
  }

  /** Fetches what is missing of a range. @param {number} first @param {number} last */
  need(first, last) {
    const end = this.loaded ? Math.min(last, this.total - 1) : last;
    for (let page = Math.floor(first / this.size); page * this.size <= end; page++) {
      if (!this.#asked.has(page)) void this.#fetch(page);
    }
  }

  /** The list may have changed: rows are fetched anew, those at hand stay until then. */
  renew() {
    this.#asked.clear();
    this.#generation++;
  }

  /** Another list altogether. */
  clear() {
    this.renew();
    this.#pages.clear();
    this.loaded = false;
    this.total = 0;
  }

  /** @param {number} page */
  async #fetch(page) {
    const generation = this.#generation;
    this.#asked.add(page);
    try {
      const { rows, total } = await this.get(page * this.size, this.size);
      if (generation !== this.#generation) return;
      this.total = total;
      this.loaded = true;
      this.#pages.delete(page);
      this.#pages.set(page, rows);
      for (const old of [...this.#pages.keys()].slice(0, -MOST_PAGES)) {
        this.#pages.delete(old);
        this.#asked.delete(old);
      }
      this.changed();
    } catch (fault) {
      if (generation !== this.#generation) return;
      this.#asked.delete(page);
      this.failed(fault);
    }
  }
}
