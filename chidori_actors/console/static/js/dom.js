/**
 * Builds the page. Text only ever becomes text nodes: what an agent, a model or a webhook wrote can run nothing.
 *
 * @typedef {Node | string | number | null | undefined | false} Leaf Nothing is added for null and false.
 * @typedef {Leaf | Leaf[] | (Leaf | Leaf[])[]} Child
 * @typedef {{[event: string]: (event: any) => unknown}} Listeners
 * @typedef {string | number | boolean | null | undefined} AttributeValue
 * @typedef {{class?: string | null, on?: Listeners, dataset?: {[name: string]: AttributeValue}} &
 *   {[attribute: string]: AttributeValue | Listeners | {[name: string]: AttributeValue}}} Props
 *   `true` is an attribute without a value; an attribute that is false, null or undefined is left out.
 */

const SVG = "http://www.w3.org/2000/svg";
const REFUSED = /^(on.+|style|srcdoc|innerhtml)$/i;
const ADDRESS = /^(href|src|action|formaction)$/i;
const SAFE_ADDRESS = /^(?:[/?#]|blob:|data:image\/)/;

/**
 * A new element: `h("a", {href: "/console/", on: {click}}, "Runs")`.
 *
 * @template {string} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...Child} children
 * @returns {K extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[K] : HTMLElement}
 */
export function h(tag, props, ...children) {
  return /** @type {any} */ (built(document.createElement(tag), props, children));
}

/**
 * A new SVG element.
 *
 * @param {string} tag
 * @param {Props | null} [props]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, props, ...children) {
  return built(/** @type {SVGElement} */ (document.createElementNS(SVG, tag)), props, children);
}

/**
 * Gives a node these children instead of those it has.
 *
 * @param {ParentNode} node
 * @param {...Child} children
 */
export function replace(node, ...children) {
  node.replaceChildren(...nodes(children));
}

/**
 * Sets an attribute, or removes it for false, null and undefined.
 *
 * @param {Element} element
 * @param {string} name
 * @param {AttributeValue} value
 */
export function setAttribute(element, name, value) {
  if (REFUSED.test(name)) throw new TypeError(`${name} is not an attribute that the page sets`);
  if (ADDRESS.test(name) && value && !SAFE_ADDRESS.test(String(value))) {
    throw new TypeError(`${value} is not an address in the console`);
  }
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * The custom element `tag`; the same module may be evaluated once only.
 *
 * @param {string} tag
 * @param {CustomElementConstructor} constructor
 */
export function define(tag, constructor) {
  customElements.define(tag, constructor);
}

/**
 * The event by which an element tells those around it, e.g. `tell(this, "open-call", {seq: 7})`.
 *
 * @param {EventTarget} from
 * @param {string} name
 * @param {unknown} [detail]
 */
export function tell(from, name, detail) {
  from.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Props | null | undefined} props
 * @param {Child[]} children
 * @returns {E}
 */
function built(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(/** @type {Listeners} */ (value))) {
        element.addEventListener(event, listener);
      }
    } else if (name === "dataset") {
      for (const [key, text] of Object.entries(/** @type {{[name: string]: AttributeValue}} */ (value))) {
        if (text !== null && text !== undefined && text !== false) {
          /** @type {HTMLElement} */ (/** @type {Element} */ (element)).dataset[key] = String(text);
        }
      }
    } else {
      setAttribute(element, name, /** @type {AttributeValue} */ (value));
    }
  }
  element.append(...nodes(children));
  return element;
}

/**
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children
    .flat(2)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}
