'use strict';
(() => {
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// Tables: sort by a column's heading, filter by words, long ones folded.
const FOLDED = 15;
const key = cell => cell.dataset.v ?? cell.textContent.trim();
const compare = (a, b) => {
  if ((a === '') !== (b === '')) return a === '' ? 1 : -1;
  const [x, y] = [Number(a), Number(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, 'en', {numeric: true}) : x - y;
};
const empty = value => value === '' || value === 'nan';
for (const holder of all('.table')) {
  const table = holder.querySelector('table');
  if (!table) continue;  // nothing to list, and that was said
  const body = table.tBodies[0], rows = [...body.rows];
  let unfolded = rows.length <= FOLDED, words = [];
  const tools = make('div', {className: 'tools'}), count = make('span'), more = make('button', {type: 'button'});
  count.setAttribute('role', 'status');
  const show = () => {
    const found = [...body.rows].filter(row => words.every(word => row.textContent.toLowerCase().includes(word)));
    for (const row of body.rows) row.hidden = true;
    found.forEach((row, i) => { row.hidden = !unfolded && !words.length && i >= FOLDED; });
    more.hidden = unfolded || words.length > 0;
    count.textContent = words.length ? `${found.length} of ${rows.length} rows` : '';
  };
  if (rows.length > 6) {
    const filter = make('input', {type: 'search'});
    filter.addEventListener('input', () => { words = filter.value.toLowerCase().split(/\s+/).filter(Boolean); show(); });
    more.textContent = `Show all ${rows.length} rows`;
    more.addEventListener('click', () => { unfolded = true; show(); });
    tools.append(make('label', {}, 'Filter ', filter), count, more);
    holder.insertBefore(tools, holder.querySelector('.scroll'));
    show();
  }
  if (rows.length > 1) all('thead th', table).forEach((head, column) => {
    const button = make('button', {type: 'button'}, ...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const sorted = head.getAttribute('aria-sort'), number = head.classList.contains('num');
      const down = sorted ? sorted === 'ascending' : number;  // of numbers the largest are asked for
      for (const other of all('th', table)) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const value = row => key(row.cells[column]);
      const [some, none] = [rows.filter(r => !empty(value(r))), rows.filter(r => empty(value(r)))];
      some.sort((a, b) => compare(value(a), value(b)) * (down ? -1 : 1));
      body.append(...some, ...none);
      show();
    });
  });
}

// A table that goes on beyond its right edge is seen to go on: a telephone shows no scroll bar.
for (const box of all('.scroll')) {
  const look = () => box.toggleAttribute('data-more', box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  const sizes = new ResizeObserver(look);
  sizes.observe(box);
  sizes.observe(box.firstElementChild);
  box.addEventListener('scroll', look, {passive: true});
}

// Pictures the page carries: unpacked when they come near, and drawn.
const unpack = async id => {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(packed, character => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
};
const address = svg => URL.createObjectURL(new Blob([svg], {type: 'image/svg+xml'}));
// Where the topmost box of a graph stands, as a share of the width: callers stand above those they call.
const root = svg => {
  const boxes = [...svg.matchAll(/<polygon fill="none"[^>]* points="(-?[\d.]+),(-?[\d.]+)/g)];
  const top = boxes.map(box => [Number(box[2]), Number(box[1])]).sort((a, b) => a[0] - b[0])[0];
  const width = /viewBox="[\d.]+ [\d.]+ ([\d.]+)/.exec(svg);
  return top && width ? top[1] / Number(width[1]) : 0;
};
const graph = (frame, svg) => {
  const picture = make('img', {src: address(svg), alt: frame.closest('.picture').dataset.title});
  frame.append(make('div', {className: 'sheet'}, picture));
  picture.addEventListener('load', () => {
    frame.scrollLeft = root(svg) * picture.naturalWidth - frame.clientWidth / 2;
    frame.dataset.ready = '';
  });
};
const draw = async frame => {
  if (frame.dataset.drawn !== undefined) return;
  frame.dataset.drawn = '';
  if (!('DecompressionStream' in window)) return frame.append('This browser cannot unpack the picture: open it alone.');
  (frame.dataset.kind === 'flame' ? drawFlame : graph)(frame, await unpack(frame.dataset.embed));
};
const near = new IntersectionObserver(entries => {
  for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
}, {rootMargin: '600px'});
for (const frame of all('.frame')) {
  near.observe(frame);
}
// What is printed must be there before, what stands in other tabs too: it is drawn when the page has nothing else to do.
const idle = window.requestIdleCallback ?? (task => setTimeout(task, 300));
const rest = () => idle(async () => {
  const next = all('.frame').find(frame => frame.dataset.drawn === undefined);
  if (next) { await draw(next); rest(); }
});
addEventListener('load', () => setTimeout(rest, 1500));

// Tabs: panels that stand below each other without a script.
for (const tabs of all('.tabs')) {
  const panels = all(':scope > .panel', tabs);
  if (!panels.length) continue;
  const list = make('div');
  list.setAttribute('role', 'tablist');
  list.setAttribute('aria-label', tabs.dataset.label);
  const choose = (chosen, focus) => panels.forEach((panel, i) => {
    const tab = list.children[i], on = i === chosen;
    panel.hidden = !on;
    tab.setAttribute('aria-selected', on);
    tab.tabIndex = on ? 0 : -1;
    if (on && focus) tab.focus();
    if (on) all('.frame', panel).forEach(frame => near.unobserve(frame) ?? near.observe(frame));
  });
  panels.forEach((panel, i) => {
    const tab = make('button', {type: 'button', id: panel.id + '-tab'}, panel.dataset.tab);
    if (panel.dataset.badge && panel.dataset.badge !== 'difference') tab.append(make('span', {className: 'badge'}, panel.dataset.badge));
    tab.setAttribute('role', 'tab');
    tab.setAttribute('aria-controls', panel.id);
    tab.addEventListener('click', () => choose(i, false));
    tab.addEventListener('keydown', event => {
      const to = {ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: panels.length - 1}[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose((to + panels.length) % panels.length, true);
    });
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-label', `${tabs.dataset.label}: ${panel.dataset.tab}`);
    list.append(tab);
  });
  tabs.prepend(list);
  tabs.classList.add('ready');
  choose(Math.max(0, panels.findIndex(panel => 'opens' in panel.dataset)), false);
}

// An address opens what it names, behind whichever tab that is: `#profiler-0-0-2`, `#flame-embed-2&view=inverted`.
const visit = () => {
  const [id] = location.hash.slice(1).split('&'), there = id && document.getElementById(id);
  if (!there) return;
  for (let panel = there.closest('.panel'); panel; panel = panel.parentElement.closest('.panel')) document.getElementById(panel.id + '-tab')?.click();
  for (let fold = there.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true;
  (there.closest('.picture') ?? there).scrollIntoView();
};
addEventListener('hashchange', visit);
addEventListener('load', visit);

// The contents show where you are.
const links = new Map(all('.toc a[href^="#"]').map(link => [link.hash.slice(1), link]));
const here = new IntersectionObserver(entries => {
  for (const entry of entries) if (entry.isIntersecting) {
    for (const link of links.values()) link.removeAttribute('aria-current');
    links.get(entry.target.id)?.setAttribute('aria-current', 'true');
  }
}, {rootMargin: '-15% 0px -75% 0px'});
links.values().next().value?.setAttribute('aria-current', 'true');
for (const id of links.keys()) { const part = document.getElementById(id); if (part) here.observe(part); }

// On paper everything is open.
let closed = [];
addEventListener('beforeprint', () => { closed = all('details:not([open], .stack)'); closed.forEach(d => { d.open = true; }); });
addEventListener('afterprint', () => closed.forEach(d => { d.open = false; }));
})();
