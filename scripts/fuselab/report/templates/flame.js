// A flamegraph, drawn on a canvas from the tree of stacks that the page carries (flame.py says what is in it).
//
// d3-flame-graph and its kin draw an element for each box, which a hundred thousand stacks bring to a halt; those that
// draw on a canvas are whole applications. So: typed arrays, one pass to build the tree, and boxes below half a pixel left
// out, in other views than callers first without ever being made. A view is a list of trees: one, or callers above and callees below (`up: true` grows upwards).
const drawFlame = (() => {
const all = (selector, within) => [...within.querySelectorAll(selector)];
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const OWN = '', KERNEL = 'kernel', MOST_PX = 640, PALE = .02, MOST_LOOKED = 50_000, PAPER = 680;
const dark = matchMedia('(prefers-color-scheme: dark)'), coarse = matchMedia('(pointer: coarse)');

// Numbers with units a person reads.
const digits = value => value.toLocaleString('en', {maximumSignificantDigits: 3, useGrouping: true});
const scales = {
  ns: [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']],
  bytes: [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB'], [1, 'B']],
};
const quantity = (value, unit) => {
  const [word] = unit.split(' '), scale = scales[word];
  if (!scale) return `${Math.round(value).toLocaleString('en')} ${word}`;
  const [size, name] = scale.find(([size]) => Math.abs(value) >= size * .9995) ?? scale.at(-1);
  return `${digits(value / size)} ${name}`;
};
const percent = share => `${digits(share * 100)} %`;

// Children of a tree under construction, by parent and name: a Map of as many keys takes a browser seconds.
class Places {
  constructor(most) {
    this.size = 2 ** Math.ceil(Math.log2(Math.max(most, 8) * 2));
    this.parent = new Int32Array(this.size);
    this.name = new Int32Array(this.size);
    this.node = new Int32Array(this.size).fill(-1);
  }
  // Where the node is or is to be written.
  slot(parent, name) {
    let at = (Math.imul(parent, 0x9e3779b1) ^ Math.imul(name, 0x85ebca6b)) & this.size - 1;
    while (this.node[at] >= 0 && (this.parent[at] !== parent || this.name[at] !== name)) at = at + 1 & this.size - 1;
    return at;
  }
}

// The tree of callers first, whole. Parents come before their children.
class Tree {
  constructor(most) {
    for (const column of ['parent', 'name', 'depth']) this[column] = new Int32Array(most);
    for (const column of ['value', 'before']) this[column] = new Float64Array(most);
    Object.assign(this, {count: 0, places: new Places(most), up: false});
  }
  child(parent, name) {
    const {places} = this, at = places.slot(parent, name);
    if (places.node[at] >= 0) return places.node[at];
    const node = this.count++;
    places.parent[at] = this.parent[node] = parent;
    places.name[at] = this.name[node] = name;
    places.node[at] = node;
    this.depth[node] = parent < 0 ? 0 : this.depth[parent] + 1;
    return node;
  }
  add(node, value, before) { this.value[node] += value; this.before[node] += before; }
  // Totals, widths and places, the largest or the first in the alphabet leftmost. A box is as wide as the larger of
  // both sides, stack by stack, so that what vanished is there to see.
  settle(first) {
    const n = this.count;
    for (const column of ['parent', 'name', 'depth', 'value', 'before']) this[column] = this[column].slice(0, n);
    const {parent, depth, value, before} = this;
    this.total = Float64Array.from(value);
    this.totalBefore = Float64Array.from(before);
    this.width = Float64Array.from(value, (v, i) => Math.max(v, before[i]));
    this.x = new Float64Array(n);
    this.rows = 0;
    this.whole = 0;
    const count = new Int32Array(n + 2);
    for (let i = n - 1; i >= 0; i--) {
      const p = parent[i];
      count[p + 2]++;
      this.rows = Math.max(this.rows, depth[i] + 1);
      if (p < 0) { this.whole += this.width[i]; continue; }
      this.total[p] += this.total[i];
      this.totalBefore[p] += this.totalBefore[i];
      this.width[p] += this.width[i];
    }
    for (let i = 1; i < n + 2; i++) count[i] += count[i - 1];
    this.start = count;
    const next = Int32Array.from(count), kids = this.kids = new Int32Array(n);
    for (let i = 0; i < n; i++) kids[next[parent[i] + 1]++] = i;
    for (let p = -1; p < n; p++) {
      const from = count[p + 1], to = count[p + 2];
      if (to - from > 1) kids.subarray(from, to).sort((a, b) => first(this, a, b));
      let x = p < 0 ? 0 : this.x[p];
      for (let k = from; k < to; k++) { this.x[kids[k]] = x; x += this.width[kids[k]]; }
    }
    this.places = null;
    return this;
  }
  children(node) { return this.kids.subarray(this.start[node + 1], this.start[node + 2]); }
}

// The stacks of such a tree from other frames on, upwards to their callers or downwards. They share so little that all
// of it would be many times the tree: a box is opened when its children are asked for, and a picture asks for those that
// are wide enough to be seen. `ends` are the nodes to begin with, each with the weight that it brings.
class Opening {
  constructor(tree, ends, toCallers, own, first) {
    Object.assign(this, {tree, toCallers, first, of: [], opened: [], up: false});
    for (const column of ['parent', 'name', 'depth', 'value', 'before', 'total', 'totalBefore', 'width', 'x']) this[column] = [];
    const kept = own ? [tree.value, tree.before, Float64Array.from(tree.value, (v, i) => Math.max(v, tree.before[i]))] : [tree.total, tree.totalBefore, tree.width];
    this.weights = kept;
    this.rows = toCallers ? ends.reduce((rows, i) => Math.max(rows, tree.depth[i] + 1), 0) : 0;
    this.whole = ends.reduce((whole, i) => whole + kept[2][i], 0);
    // Of each box: where its stacks stand now, and whose weight they bring.
    this.roots = this.open(-1, ends, ends);
  }
  children(node) {
    if (node < 0) return this.roots;
    if (!this.opened[node]) {
      const [at, from] = this.of[node], {tree} = this, to = [], whose = [];
      if (this.toCallers) {
        at.forEach((i, k) => { if (tree.parent[i] >= 0) { to.push(tree.parent[i]); whose.push(from[k]); } });
      } else for (const i of at) for (const child of tree.children(i)) { to.push(child); whose.push(child); }
      this.of[node] = null;
      this.opened[node] = this.open(node, to, whose);
    }
    return this.opened[node];
  }
  open(parent, to, whose) {
    const {tree, weights: [value, before, width]} = this, groups = new Map();
    to.forEach((i, k) => {
      let group = groups.get(tree.name[i]);
      if (!group) groups.set(tree.name[i], group = {at: [], from: [], sums: [0, 0, 0, 0, 0]});
      const j = whose[k], {sums} = group;
      group.at.push(i);
      group.from.push(j);
      sums[0] += value[j];
      sums[1] += before[j];
      sums[2] += width[j];
      // Itself: downwards what is spent in the frame, upwards what has no caller.
      if (!this.toCallers) { sums[3] += tree.value[i]; sums[4] += tree.before[i]; }
      else if (tree.parent[i] < 0) { sums[3] += value[j]; sums[4] += before[j]; }
    });
    const kids = [];
    for (const [name, {at, from, sums}] of groups) {
      kids.push(this.name.length);
      this.name.push(name);
      this.parent.push(parent);
      this.depth.push(parent < 0 ? 0 : this.depth[parent] + 1);
      this.x.push(0);
      ['total', 'totalBefore', 'width', 'value', 'before'].forEach((column, k) => this[column].push(sums[k]));
      this.of.push([at, from]);
      this.opened.push(null);
    }
    kids.sort((a, b) => this.first(this, a, b));
    let x = parent < 0 ? 0 : this.x[parent];
    for (const kid of kids) { this.x[kid] = x; x += this.width[kid]; }
    return kids;
  }
}

// Views, each made of the profile: a tree of callers first, with frames of others folded unless asked for.
class Profile {
  constructor({unit, names, depth, name, value, before}) {
    Object.assign(this, {unit, depth, name, value, compares: Boolean(before), before: before ?? new Array(value.length).fill(0)});
    this.names = names.map(([full, short, group]) => ({full, short, group}));
    this.groups = [...new Set(names.map(([, , group]) => group))].filter(group => group !== OWN);
    this.own = this.names.length;
    // What stands for a run of folded frames comes behind the functions.
    for (const group of this.groups) {
      this.names.push({full: `${group} and what it calls, folded`, short: `${group} …`, group, run: true});
    }
    this.folds = this.groups.length > 0 && names.some(([, , group]) => group === OWN);
    this.made = new Map();
  }
  run(group) { return this.own + this.groups.indexOf(group); }
  order(byName) {
    if (!byName) return (t, a, b) => t.width[b] - t.width[a] || t.name[a] - t.name[b];
    const {names} = this, places = new Int32Array(names.length);
    [...names.keys()].sort((a, b) => names[a].short.localeCompare(names[b].short)).forEach((name, place) => { places[name] = place; });
    return (t, a, b) => places[t.name[a]] - places[t.name[b]];
  }
  once(key, make) {
    if (!this.made.has(key)) this.made.set(key, make());
    return this.made.get(key);
  }
  flame(everything, byName) {
    return this.once(`flame ${everything} ${byName}`, () => {
      const tree = new Tree(this.name.length), path = [], {names} = this;
      for (let i = 0; i < this.name.length; i++) {
        const depth = this.depth[i], above = depth ? path[depth - 1] : -1, is = names[this.name[i]];
        const over = above < 0 ? null : names[tree.name[above]];
        let node;
        if (everything || !over || !this.folds) node = tree.child(above, this.name[i]);
        // A function and the closures in it, which async functions are made of, are one box.
        else if (is.group === OWN) node = over.group === OWN && over.short === is.short ? above : tree.child(above, this.name[i]);
        else if (over.run && (is.group !== KERNEL || over.group === KERNEL)) node = above;
        else node = tree.child(above, this.run(is.group));
        path[depth] = node;
        tree.add(node, this.value[i], this.before[i]);
      }
      return tree.settle(this.order(byName));
    });
  }
  inverted(everything, byName) {
    return this.once(`inverted ${everything} ${byName}`, () => {
      const tree = this.flame(everything, byName), ends = [];
      tree.value.forEach((value, i) => { if (value || tree.before[i]) ends.push(i); });
      return new Opening(tree, ends, true, true, this.order(byName));
    });
  }
  sandwich(name, everything, byName) {
    return this.once(`sandwich ${name} ${everything} ${byName}`, () => {
      // Of recursion the outermost call: what it calls again is below it already.
      const tree = this.flame(everything, byName), within = new Int32Array(tree.count), outermost = [];
      let rows = 0;
      for (let i = 0; i < tree.count; i++) {
        const over = tree.parent[i] < 0 ? -1 : within[tree.parent[i]];
        within[i] = over >= 0 ? over : tree.name[i] === name ? i : -1;
        if (within[i] === i) outermost.push(i);
        if (within[i] >= 0) rows = Math.max(rows, tree.depth[i] - tree.depth[within[i]] + 1);
      }
      const [callers, callees] = [true, false].map(toCallers => new Opening(tree, outermost, toCallers, false, this.order(byName)));
      callers.up = true;
      callees.rows = rows;
      return [callers, callees];
    });
  }
}
const upwards = (tree, node) => {
  const names = [];
  for (let i = node; i >= 0; i = tree.parent[i]) names.push(tree.name[i]);
  return names;
};

// Colours: of a difference blue to red around a neutral one, else by whose a frame is. Text stands readable on all.
const rgb = colour => `rgb(${colour.join(' ')})`;
const mix = (a, b, part) => rgb(a.map((from, i) => Math.round(from + (b[i] - from) * part)));
const SCHEMES = {
  light: {more: [238, 112, 70], less: [88, 172, 226], none: [232, 229, 222], ink: '#1d1d1b', edge: '#fdfcf9', mark: '#7b1fa2',
    own: [[247, 190, 120], [243, 172, 104], [250, 206, 140]], theirs: [226, 221, 209], kernel: [196, 213, 226]},
  dark: {more: [178, 70, 36], less: [26, 104, 156], none: [62, 60, 57], ink: '#f4f1ea', edge: '#1a1a18', mark: '#e6a8ff',
    own: [[138, 82, 26], [124, 70, 22], [150, 94, 34]], theirs: [72, 68, 61], kernel: [52, 72, 88]},
};

return (frame, text) => {
  const profile = new Profile(JSON.parse(text)), {names, unit} = profile, key = frame.id;
  const picture = frame.closest('.picture'), bar = picture.querySelector('.bar');
  const state = {view: 'flame', all: !profile.folds, name: false, self: false, of: -1, at: '', q: ''};
  let parts = [], focus = -1, chosen = null, under = null, printing = false, hits = null;

  const canvas = make('canvas'), sheet = make('div', {className: 'flame'}, canvas), tip = make('div', {className: 'tip', hidden: true});
  const context = canvas.getContext('2d'), said = make('output');
  frame.append(sheet, tip);
  frame.setAttribute('role', 'application');
  frame.setAttribute('aria-label', `${picture.dataset.title}: flamegraph. Arrow keys go from frame to frame, Enter zooms, Escape zooms out. The table below has the same functions.`);

  // The controls, and the address that opens what they show.
  const search = make('input', {type: 'search'}), view = make('select', {});
  for (const [value, label] of [['flame', 'Callers first'], ['inverted', 'Callees first (inverted)'], ['sandwich', 'Callers and callees of one']]) {
    view.append(make('option', {value}, label));
  }
  const button = (label, act) => {
    const made = make('button', {type: 'button'}, label);
    made.addEventListener('click', act);
    return made;
  };
  const box = (label, name) => {
    const input = make('input', {type: 'checkbox'});
    input.dataset.state = name;
    input.addEventListener('change', () => { change({[name]: input.checked, at: ''}); });
    return make('label', {}, input, ` ${label}`);
  };
  const reset = button('Reset zoom', () => change({at: ''})), both = button('Its callers and callees', () => change({view: 'sandwich', of: nameOf(chosen), at: ''}));
  const copy = button('Copy name', async () => {
    const full = names[nameOf(chosen)].full;
    try { await navigator.clipboard.writeText(full); said.textContent = `Copied: ${full}`; } catch { said.textContent = full; getSelection().selectAllChildren(said); }
  });
  view.addEventListener('change', () => change({view: view.value, of: chosen ? nameOf(chosen) : state.of, at: ''}));
  search.addEventListener('input', () => change({q: search.value}));
  search.addEventListener('keydown', event => { if (event.key === 'Enter') zoom(widest()); });
  bar.prepend(make('label', {}, 'Search frames ', search), make('label', {}, 'View ', view), ...(profile.folds ? [box('runtime and libraries', 'all')] : []),
    box('by name', 'name'), ...(profile.compares ? [box('colour by self', 'self')] : []), reset, both, copy);
  bar.append(said);

  const nameOf = ({tree, node}) => tree.name[node];
  const pathOf = ({tree, node}) => upwards(tree, node).reverse().join('.');
  const change = changes => {
    Object.assign(state, changes);
    const kept = new URLSearchParams();
    for (const [name, value] of Object.entries(state)) {
      const plain = name === 'all' ? !profile.folds : {view: 'flame', of: -1}[name] ?? (typeof value === 'string' ? '' : false);
      if (value !== plain && !(name === 'of' && state.view !== 'sandwich')) kept.set(name, value === true ? '1' : value === false ? '0' : value);
    }
    try { history.replaceState(null, '', `#${key}${kept.size ? '&' + kept : ''}`); } catch { /* a page without an address */ }
    show();
  };
  const read = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (!asked.has(key)) return;
    for (const name of ['all', 'name', 'self']) if (asked.has(name)) state[name] = asked.get(name) === '1';
    for (const name of ['view', 'at', 'q']) state[name] = asked.get(name) ?? state[name];
    state.of = Number(asked.get('of') ?? -1);
  };

  // What the state shows: the trees, the frame that is zoomed into, what was searched.
  const loudest = () => {
    const tree = profile.inverted(state.all, state.name), roots = [...tree.children(-1)];
    const size = i => (profile.compares ? Math.abs(tree.total[i] - tree.totalBefore[i]) : tree.total[i]);
    const own = roots.filter(i => names[tree.name[i]].group === OWN), among = own.length ? own : roots;
    return among.length ? tree.name[among.reduce((a, b) => (size(b) > size(a) ? b : a))] : 0;
  };
  const show = () => {
    if (!['flame', 'inverted', 'sandwich'].includes(state.view)) state.view = 'flame';
    if (state.view === 'sandwich') {
      let [made] = names[state.of] ? profile.sandwich(state.of, state.all, state.name) : [null];
      if (!made || !made.name.length) state.of = loudest();
      parts = profile.sandwich(state.of, state.all, state.name);
    } else parts = [profile[state.view](state.all, state.name)];
    focus = -1;
    for (const name of state.at ? state.at.split('.') : []) {
      const next = parts[0].children(focus).find(child => parts[0].name[child] === Number(name));
      if (next === undefined) break;
      focus = next;
    }
    const last = parts.at(-1);
    chosen = state.view === 'sandwich' ? (last.name.length ? {tree: last, node: 0} : null) : focus < 0 ? null : {tree: parts[0], node: focus};
    view.value = state.view;
    if (document.activeElement !== search) search.value = state.q;
    for (const input of all('input[data-state]', bar)) input.checked = state[input.dataset.state];
    reset.disabled = focus < 0;
    find();
    frame.style.height = Math.min(MOST_PX, Math.max(parseFloat(frame.style.height) || 0, height() + 2)) + 'px';
    sheet.style.height = height() + 'px';
    frame.scrollTop = state.view === 'sandwich' ? Math.max(0, parts[0].rows * row() - frame.clientHeight / 2) : 0;
    tell(chosen);
    paint();
  };
  const find = () => {
    hits = null;
    if (!state.q) return;
    let pattern;
    try { pattern = new RegExp(state.q, 'i'); } catch { hits = {wrong: true, has: () => true}; return; }
    const found = new Set(names.flatMap(({full, short}, i) => (pattern.test(full) || pattern.test(short) ? [i] : [])));
    // The share that is in a matching frame or below one, each stack once: in every view the same, of the same stacks.
    const tree = profile.flame(state.all, state.name), inside = new Uint8Array(tree.count);
    let width = 0, frames = 0;
    for (let i = 0; i < tree.count; i++) {
      const over = tree.parent[i] >= 0 && inside[tree.parent[i]], here = found.has(tree.name[i]);
      inside[i] = over || here ? 1 : 0;
      if (here) { frames++; if (!over) width += tree.width[i]; }
    }
    hits = {has: name => found.has(name), share: width / (tree.whole || 1), frames};
  };
  const widest = () => {
    const [tree] = parts;
    let best = -1, looked = 0;
    const down = node => {
      for (const child of tree.children(node)) {
        if (looked++ > MOST_LOOKED || (best >= 0 && tree.width[child] <= tree.width[best])) continue;
        if (hits.has(tree.name[child])) best = child;
        else down(child);
      }
    };
    if (hits && !hits.wrong && hits.frames) down(-1);
    return best < 0 ? null : {tree, node: best};
  };
  const zoom = at => {
    if (!at) return;
    if (state.view === 'sandwich') change({of: nameOf(at)});
    else change({at: pathOf(at)});
  };

  // Words for one frame.
  const hint = 'Click a frame to zoom into it, point at one for its figures.';
  const figures = ({tree, node}) => {
    const whole = profile.compares ? Math.max(sum(tree.total, tree), sum(tree.totalBefore, tree)) : sum(tree.total, tree);
    const [now, was] = [tree.total[node], tree.totalBefore[node]], share = percent(Math.max(now, was) / (whole || 1));
    if (!profile.compares) return `${quantity(now, unit)}, ${share} of the total${tree.value[node] ? `; itself ${quantity(tree.value[node], unit)}` : ''}`;
    const change = now - was, times = was > 0 && now > 0 && (now / was >= 2 || now / was <= .5) ? `, ${digits(now / was)} ×` : '';
    const how = was === 0 ? 'new' : now === 0 ? 'gone' : `${change < 0 ? '−' : '+'}${quantity(Math.abs(change), unit)}${times}`;
    const own = tree.value[node] || tree.before[node] ? `; itself ${quantity(tree.value[node], unit)} after ${quantity(tree.before[node], unit)}` : '';
    return `${quantity(now, unit)} after ${quantity(was, unit)} (${how}), ${share} of the total${own}`;
  };
  const sum = (values, tree) => [...tree.children(-1)].reduce((total, i) => total + values[i], 0);
  const tell = at => {
    both.disabled = copy.disabled = !chosen;
    const found = hits && (hits.wrong ? 'Not a regular expression' : hits.frames ? `Matched: ${percent(hits.share)} in ${hits.frames.toLocaleString('en')} frames` : 'No frame matches');
    said.textContent = at ? `${names[nameOf(at)].full}: ${figures(at)}` : found || hint;
  };

  // Drawing: what is in the window of the frame, from the zoomed frame on.
  const row = () => (coarse.matches ? 24 : 18);
  const height = () => Math.max(1, parts.reduce((rows, part) => rows + part.rows, 0) - (parts.length > 1 ? 1 : 0)) * row();
  const rowOf = (tree, depth) => (tree.up ? parts[0].rows - 1 - depth : (parts.length > 1 ? parts[0].rows - 1 : 0) + depth);
  const colour = (tree, node, scheme) => {
    const {group, full} = names[tree.name[node]];
    if (profile.compares) {
      const [now, was] = state.self ? [tree.value[node], tree.before[node]] : [tree.total[node], tree.totalBefore[node]];
      const most = Math.max(now, was), change = most ? (now - was) / most * Math.min(1, Math.abs(now - was) / (PALE * (tree.whole || 1))) : 0;
      return mix(scheme.none, change > 0 ? scheme.more : scheme.less, Math.min(1, Math.abs(change) * 1.15));
    }
    return rgb(group === OWN ? scheme.own[full.length % 3] : group === KERNEL ? scheme.kernel : scheme.theirs);
  };
  let boxes = [], asked = false;
  const draw = () => {
    asked = false;
    const ratio = window.devicePixelRatio || 1, W = sheet.clientWidth || (printing ? PAPER : 0), H = printing ? Math.min(height(), 900) : Math.min(frame.clientHeight, height());
    if (!W || !H) return;
    canvas.width = Math.round(W * ratio);
    canvas.height = Math.round(H * ratio);
    canvas.style.height = H + 'px';
    const scheme = SCHEMES[dark.matches && !printing ? 'dark' : 'light'], tall = row(), top = printing ? 0 : frame.scrollTop;
    const style = getComputedStyle(frame);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.textBaseline = 'middle';
    context.font = `12px ${style.getPropertyValue('--ui') || 'sans-serif'}`;
    boxes = [];
    for (const tree of parts) {
      const within = tree === parts[0] ? focus : -1, from = within < 0 ? 0 : tree.x[within], scale = W / ((within < 0 ? tree.whole : tree.width[within]) || 1);
      const place = (node, x, w) => {
        const y = rowOf(tree, tree.depth[node]) * tall - top;
        if (y > -tall && y < H) boxes.push({tree, node, x, y, w});
      };
      const stack = [];
      if (within < 0) stack.push(...tree.children(-1));
      else { for (let i = tree.parent[within]; i >= 0; i = tree.parent[i]) place(i, 0, W); stack.push(within); }
      while (stack.length) {
        const node = stack.pop(), w = tree.width[node] * scale;
        if (w < .5) continue;
        place(node, (tree.x[node] - from) * scale, w);
        if (tree.up || rowOf(tree, tree.depth[node]) * tall - top < H) for (const child of tree.children(node)) stack.push(child);
      }
    }
    for (const {tree, node, x, y, w} of boxes) {
      context.globalAlpha = hits && !hits.has(tree.name[node]) ? .3 : 1;
      context.fillStyle = colour(tree, node, scheme);
      context.fillRect(x, y, Math.max(w - (w > 3 ? 1 : 0), .5), tall - 1);
      if (w > 28) label(names[tree.name[node]].short, x, y, w, tall, scheme);
      context.globalAlpha = 1;
    }
    for (const at of [under, chosen]) {
      const found = at && !printing && boxes.find(({tree, node}) => tree === at.tree && node === at.node);
      if (found) { context.strokeStyle = scheme.ink; context.lineWidth = at === chosen ? 2 : 1; context.strokeRect(found.x + 1, found.y + 1, Math.max(found.w - 3, 1), tall - 3); }
    }
    frame.dataset.ready = '';
  };
  const label = (short, x, y, w, tall, scheme) => {
    let text = short;
    const room = w - 8, wide = context.measureText('m').width * .62;
    if (short.length * wide > room) text = short.slice(0, Math.max(0, Math.floor(room / wide) - 1)) + '…';
    if (text.length < 3) return;
    context.fillStyle = scheme.ink;
    context.save();
    context.beginPath();
    context.rect(x, y, w - 2, tall);
    context.clip();
    context.fillText(text, x + 4, y + tall / 2);
    context.restore();
  };
  const paint = () => { if (!asked) { asked = true; requestAnimationFrame(draw); } };

  // Pointer and keys.
  const at = event => {
    const area = canvas.getBoundingClientRect(), [x, y] = [event.clientX - area.left, event.clientY - area.top];
    return boxes.findLast(box => x >= box.x && x < box.x + Math.max(box.w, 2) && y >= box.y && y < box.y + row()) ?? null;
  };
  const same = (a, b) => a === b || (a && b && a.tree === b.tree && a.node === b.node);
  canvas.addEventListener('pointermove', event => {
    const found = at(event);
    if (found && !coarse.matches) {
      const area = frame.getBoundingClientRect();
      tip.hidden = false;
      tip.replaceChildren(make('strong', {}, names[nameOf(found)].full), make('span', {}, figures(found)));
      tip.style.left = Math.max(4, Math.min(event.clientX - area.left + 12, area.width - tip.offsetWidth - 8)) + 'px';
      tip.style.top = frame.scrollTop + event.clientY - area.top + 18 + 'px';
    } else tip.hidden = true;
    if (same(found, under)) return;
    under = found;
    canvas.style.cursor = found ? 'pointer' : 'default';
    tell(found ?? chosen);
    paint();
  });
  canvas.addEventListener('pointerleave', () => { tip.hidden = true; under = null; tell(chosen); paint(); });
  canvas.addEventListener('click', event => { tip.hidden = true; zoom(at(event)); });
  frame.addEventListener('keydown', event => {
    const tree = chosen?.tree ?? parts[0], node = chosen?.node ?? -1;
    const beside = step => { const among = [...tree.children(node < 0 ? -1 : tree.parent[node])]; return among[among.indexOf(node) + step] ?? node; };
    const deeper = tree.children(node)[0] ?? node, back = node < 0 ? node : tree.parent[node];
    const to = {ArrowDown: tree.up ? back : deeper, ArrowUp: tree.up ? deeper : back, ArrowRight: node < 0 ? deeper : beside(1), ArrowLeft: node < 0 ? deeper : beside(-1)}[event.key];
    if (to !== undefined) {
      chosen = to < 0 ? null : {tree, node: to};
      tell(chosen);
      paint();
    } else if (event.key === 'Enter' && chosen) zoom(chosen);
    else if (event.key === 'Escape') change({at: ''});
    else return;
    event.preventDefault();
  });
  frame.addEventListener('scroll', paint, {passive: true});
  new ResizeObserver(paint).observe(frame);
  dark.addEventListener('change', paint);
  addEventListener('hashchange', () => { if (new URLSearchParams(location.hash.slice(1)).has(key)) { read(); show(); } });
  // On paper the picture is what stands on the screen, from its top, in the colours of paper.
  addEventListener('beforeprint', () => { printing = true; draw(); });
  addEventListener('afterprint', () => { printing = false; draw(); });
  read();
  show();
};
})();
