// Added to each flamegraph that the page shows in a frame, so that it answers to the page: search, zoom, colours, size.
//
// It is written for inferno 0.12.8 (envs/cargo-tools.txt), and relies on names in the script and in the SVG of that
// version that inferno promises to nobody: tests/unit/report/test_flamegraph_bridge.py lists them, and fails when either
// changes. What must be found in a new version is what inferno's script does with `init`, `setTimeout`, `resize`,
// `search_prompt` and `history.replaceState`: these are put in its way.
(function () {
  history.replaceState = function () {};
  var style = document.createElementNS('http://www.w3.org/2000/svg', 'style');
  style.textContent = `
    #background stop { stop-color: transparent; stop-opacity: 0 }
    @media screen {
      .dark > #title, .dark > #subtitle, .dark > #details, .dark > #unzoom, .dark > #matched { fill: #e8e6e1 }
    }
    #search { display: none }
    #frames rect { stroke: rgba(0, 0, 0, .16); stroke-width: .5 }
  `;
  document.documentElement.append(style);
  var tell = function (message) { parent.postMessage(message, '*'); };
  window.search_prompt = function () { tell({focus: true}); };
  addEventListener('mouseover', function () { tell({hover: details ? details.nodeValue.trim() : ''}); });
  addEventListener('mouseout', function () { tell({hover: ''}); });
  addEventListener('message', function (event) {
    var asked = event.data, found = '';
    if ('dark' in asked) document.documentElement.classList.toggle('dark', asked.dark);
    if (asked.unzoom) unzoom();
    if (asked.zoom) zoom_widest();
    if ('search' in asked) {
      try {
        if (searching) reset_search();
        searching = 0;
        if (asked.search) { search(asked.search); found = searching ? matchedtxt.firstChild.nodeValue : 'No frame matches'; }
        else { matchedtxt.classList.add('hide'); }
      } catch (error) { found = 'Not a regular expression'; }
      tell({found: found});
    }
  });
  var zoom_widest = function () {
    var found = Array.from(frames.querySelectorAll('rect[fill="' + searchcolor + '"]'));
    var width = function (rect) { return Number(rect.getAttribute('fg:w')); };
    if (found.length) zoom(found.reduce(function (a, b) { return width(b) > width(a) ? b : a; }).parentNode);
  };
  // A frame far from the window, or behind another tab, has no width, and the picture takes its widths from it: at
  // once, and once more a moment later.
  var root = document.documentElement, begin = init, later = window.setTimeout;
  var wide = function () { return innerWidth > 0 && root.width.baseVal.value > 0; };
  var when_wide = function (then) { if (wide()) then(); else later(when_wide, 50, then); };
  window.init = function () {
    window.init = function () {};
    root.removeAttribute('width');
    when_wide(function () {
      window.setTimeout = function (then) { return later(when_wide, 0, then); };
      begin();
      window.setTimeout = later;
      tell({ready: true, crown: crown()});
    });
  };
  // Where the picture begins to be wide: what stands above are thin towers, a fortieth of it in all.
  var crown = function () {
    var area = new Map(), whole = 0, above = 0;
    frames.querySelectorAll('rect').forEach(function (rect) {
      var y = Number(rect.getAttribute('y')), width = Number(rect.getAttribute('fg:w')) || 0;
      area.set(y, (area.get(y) || 0) + width);
      whole += width;
    });
    return Array.from(area.keys()).sort(function (a, b) { return a - b; }).find(function (y) {
      above += area.get(y);
      return above > whole / 40;
    }) || 0;
  };
  addEventListener('resize', function (event) {
    if (wide()) return;
    event.stopImmediatePropagation();
    if (innerWidth) later(function () { dispatchEvent(new Event('resize')); }, 50);
  });
})();
