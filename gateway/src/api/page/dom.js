// Nodes are made here and nowhere else; strings become text, never markup.

const SVG = 'http://www.w3.org/2000/svg';
const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Makes the container's children those of `items`, touching only what changed, so that focus and scroll stay.
function sync(container, items, key, render) {
  const old = container.nodesByKey ?? new Map();
  const fresh = new Map();
  let at = container.firstChild;
  for (const item of items) {
    const id = key(item);
    const sign = JSON.stringify(item);
    let known = old.get(id);
    if (known?.sign !== sign) {
      const node = render(item);
      if (known) {
        const focused = known.node === document.activeElement || known.node.contains(document.activeElement);
        if (at === known.node) at = node;
        known.node.replaceWith(node);
        if (focused) (node.matches('button') ? node : node.querySelector('button'))?.focus({ preventScroll: true });
      }
      known = { sign, node };
    }
    fresh.set(id, known);
    old.delete(id);
    if (known.node === at) at = at.nextSibling;
    else container.insertBefore(known.node, at);
  }
  for (const { node } of old.values()) node.remove();
  for (const node of [...container.querySelectorAll(':scope > .none')]) node.remove();
  container.nodesByKey = fresh;
}

// A list that says so when it is empty.
function syncList(container, items, key, render) {
  sync(container, items, key, render);
  if (items.length === 0) {
    const none = container.tagName === 'TBODY' ? el('tr', {}, el('td', { colspan: 9 }, t('none'))) : el('p', {}, t('none'));
    none.className = 'none quiet';
    container.append(none);
  }
}

function icon(paths, box = 16) {
  return svg('svg', { viewBox: `0 0 ${box} ${box}`, class: 'icon', 'aria-hidden': 'true' }, paths.map((d) => svg('path', { d })));
}

const CONDITIONS = {
  healthy: ['M3 8.5l3.3 3.3L13 5'],
  finding: ['M8 2.5v7', 'M8 12.6v.8'],
  repairing: ['M13 8a5 5 0 1 1-1.5-3.6', 'M12.4 1.6v3.2H9.2'],
  handed_over: ['M8 7.4a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6', 'M3.2 13.6c.3-2.8 2.3-4.2 4.8-4.2s4.5 1.4 4.8 4.2'],
  offline: ['M4 4l8 8', 'M12 4l-8 8'],
};

const TYPES = {
  'split-ac': ['M4 5h16a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1z', 'M6 11h12', 'M7 17c1 1-.6 2 .4 3.4', 'M12 17c1 1-.6 2 .4 3.4', 'M17 17c1 1-.6 2 .4 3.4'],
  refrigerator: ['M7.5 2.5h9a1.5 1.5 0 0 1 1.5 1.5v16a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 6 20V4a1.5 1.5 0 0 1 1.5-1.5z', 'M6 9.5h12', 'M9 5v2', 'M9 12v3.5'],
  'gas-water-heater': ['M6.5 2.5h11A1.5 1.5 0 0 1 19 4v13a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 5 17V4a1.5 1.5 0 0 1 1.5-1.5z', 'M12 6c2.2 2.2 3.2 3.6 3.2 5.4a3.2 3.2 0 0 1-6.4 0c0-1.3.6-2.2 1.4-3 .2 1 .6 1.5 1.1 1.7.1-1.5.3-2.7.7-4.1z', 'M9 18.5v3', 'M15 18.5v3'],
  'power-meter': ['M13 3L6 13.5h5L10 21l7.5-10.5h-5z'],
};

function typeIcon(type) {
  if (TYPES[type]) return icon(TYPES[type], 24);
  return el('span', { class: 'icon letter', 'aria-hidden': 'true' }, type.slice(0, 2).toUpperCase());
}

function typeName(type) {
  return WORDS[`type.${type}`] ?? title(type.replaceAll('-', ' '));
}

// How a state is meant: good, bad, under way, waiting for people, or over.
const MOODS = {
  verified: 'good', resolved: 'good', completed: 'good', open: 'warn', awaiting_approval: 'warn', inconclusive: 'warn',
  outcome_unknown: 'warn', device_failed: 'bad', verify_failed: 'bad', rollback_failed: 'bad', blocked_unsafe: 'bad',
  rejected: 'bad', handed_over: 'people', escalated: 'people', assigned: 'people', accepted: 'busy', travelling: 'people',
  on_site: 'people', closed: 'over', canceled: 'over', expired: 'over', superseded: 'over', rolled_back: 'over',
};

function badge(state) {
  return el('span', { class: `badge ${MOODS[state] ?? 'busy'}` }, t(`state.${state}`));
}

function deviceLink(id) {
  return el('button', { type: 'button', class: 'link', on: { click: () => openDevice(id) } }, id);
}

function when(atMs) {
  return el('time', { datetime: new Date(atMs).toISOString(), title: DATE.format(atMs) }, MOMENT.format(atMs));
}

// Bars of causes, the first ones of them.
function causeBars(ranked, most) {
  return el('ul', { class: 'bars' }, ranked.slice(0, most).map(({ cause, probability }) => {
    const bar = el('i', {});
    bar.style.width = `${Math.max(1, probability * 100)}%`;
    return el('li', {}, el('span', { class: 'name' }, title(cause)), el('span', { class: 'bar', 'aria-hidden': 'true' }, bar), el('span', { class: 'n' }, percent(probability)));
  }));
}

// A long text shows its first lines until it is asked for.
function clamped(text) {
  const body = el('p', { class: 'clamp' }, text);
  if (text.length < LONG) return body;
  const more = el('button', { type: 'button', class: 'link small', 'aria-expanded': 'false', on: { click: () => {
    const open = body.classList.toggle('clamp') === false;
    more.setAttribute('aria-expanded', String(open));
    more.textContent = t(open ? 'less' : 'all');
  } } }, t('all'));
  return el('div', {}, body, more);
}

// Characters that fit into the lines of a clamped text.
const LONG = 200;
