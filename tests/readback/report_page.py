"""Opens pages of report_page.cpp in a headless Chromium: report_page.py PAGES PICTURES [other pages...]. Ends with 1 where something is wrong."""
import json
import os
import sys

from browser import Browser, find

PROBE = r"""
(() => {
  const numbers = text => text.match(/[\d.]+/g).map(Number);
  const blend = (over, under) => over.slice(0, 3).map((v, i) => v * over[3] + under[i] * (1 - over[3]));
  const rgba = text => { const v = numbers(text); return v.length > 3 ? v : [...v, 1]; };
  const light = c => { const l = c.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = e => {
    const layers = [];
    for (; e; e = e.parentElement) {
      const c = rgba(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((under, over) => blend(over, under), [255, 255, 255]);
  };
  const found = [], seen = {texts: 0, least: 99, shapes: 0};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || e.closest('script, style, option, noscript') || !e.checkVisibility({visibilityProperty: true})) continue;
    const style = getComputedStyle(e), color = rgba(e.closest('svg') ? style.fill : style.color), back = behind(e.closest('svg') ? e.closest('svg').parentElement : e);
    const r = ratio(blend(color, back), back);
    ++seen.texts;
    seen.least = Math.min(seen.least, r);
    if (r < 4.5) found.push(r.toFixed(2) + ' ' + e.tagName + '.' + (e.className.baseVal ?? e.className) + ': ' + node.data.slice(0, 40));
  }
  for (const e of document.querySelectorAll('input, select')) {
    const r = ratio(rgba(getComputedStyle(e).color), behind(e)), border = ratio(rgba(getComputedStyle(e).borderTopColor), behind(e.parentElement));
    if (r < 4.5 || border < 3) found.push('control ' + r.toFixed(2) + ', border ' + border.toFixed(2));
  }
  for (const e of document.querySelectorAll('svg .line:not(.faint), svg .fa, svg .fb')) {
    const style = getComputedStyle(e), color = rgba(e.classList.contains('line') ? style.stroke : style.fill);
    const r = ratio(color, behind(e.closest('svg').parentElement));
    ++seen.shapes;
    if (r < 3) found.push('shape ' + e.getAttribute('class') + ' ' + r.toFixed(2));
  }
  return JSON.stringify({found: [...new Set(found)].slice(0, 20), ...seen});
})()
"""

problems = []


def check(right, what):
    if not right:
        problems.append(what)
        print("WRONG: " + what)


def named(browser, page):
    """Everything that can be used has a name for those who do not see it."""
    roles = {"button", "searchbox", "textbox", "combobox", "checkbox", "link", "spinbutton", "navigation", "article"}
    seen = 0
    for node in browser.send("Accessibility.getFullAXTree")["nodes"]:
        if node.get("ignored") or node.get("role", {}).get("value") not in roles:
            continue
        seen += 1
        check(node.get("name", {}).get("value", "").strip(), "%s: a %s has no name" % (page, node["role"]["value"]))
    check(seen >= 8, page + ": hardly anything can be used: %d" % seen)


def looks(browser, folder, pictures, page):
    """Every width and theme: nothing on the console, no request, contrast, no scrolling to the side."""
    for dark in (False, True):
        for width, height in ((1200, 900), (360, 740)):
            place = "%s %s %d" % (page, "dark" if dark else "light", width)
            browser.screen(width, height, dark=dark, phone=width < 500)
            browser.open(os.path.join(folder, page + ".html"))
            for complaint in browser.complaints():
                check(False, place + ": " + complaint)
            for more in (False, True):
                if more:
                    browser.ask("document.querySelectorAll('details').forEach(d => { d.open = true; })")
                    browser.drain(0.3)
                wide = browser.ask("document.documentElement.scrollWidth")
                check(wide <= width, "%s: %d wide%s" % (place, wide, ", everything open" if more else ""))
                seen = json.loads(browser.ask(PROBE))
                for problem in seen["found"]:
                    check(False, place + ": contrast " + problem)
                check(seen["texts"] > 15, place + ": no text was measured")
                if not more:
                    browser.picture(os.path.join(pictures, place.replace(" ", "_") + ".png"), whole=True)
            named(browser, place)
            check(browser.ask("window.hacked === undefined"), place + ": a text of the data was run as a script")
            check(browser.ask("document.scripts.length") == 2, place + ": there are other scripts than the page's own")
            print("%s: %d texts, least contrast %.2f, %d shapes" % (place, seen["texts"], seen["least"], seen["shapes"]))


def text_of(browser, selector):
    return browser.ask("(document.querySelector(%s) || {textContent: ''}).textContent" % json.dumps(selector))


def charts(browser, least=16):
    browser.screen(1200, 900)
    browser.drain(0.3)
    count = browser.ask("document.querySelectorAll('figure').length")
    check(count >= least, "%d figures" % count)
    silent = browser.ask("""
      [...document.querySelectorAll('figure .plot')].filter(f => !f.querySelector('svg') || f.querySelectorAll('svg .label').length !== 2
        || [...f.querySelectorAll('svg .label')].some(l => !l.textContent.trim())).map(f => f.getAttribute('aria-label'))""")
    check(silent == [], "charts without labels on their axes: %s" % silent)
    twice = browser.ask("""
      [...document.querySelectorAll('figure .plot')].map(f => [f.getAttribute('aria-label'), [...f.querySelectorAll('svg text:not(.label)')]])
        .flatMap(([name, texts]) => ['end', 'middle'].map(a => [name, texts.filter(t => t.getAttribute('text-anchor') === a).map(t => t.textContent)]))
        .filter(([name, labels]) => new Set(labels).size < labels.length)""")
    check(twice == [], "an axis has one label twice: %s" % twice)
    outside = browser.ask("""
      [...document.querySelectorAll('figure .plot svg text')].filter(t => { const a = t.getBoundingClientRect(), b = t.closest('figure').getBoundingClientRect();
        return a.left < b.left || a.right > b.right; }).map(t => t.textContent)""")
    check(outside == [], "texts beside their chart: %s" % outside)
    overlaps = browser.ask("""
      [...document.querySelectorAll('figure .plot svg')].flatMap(s => { const t = [...s.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()]);
        return t.flatMap(([a, p], i) => t.slice(i + 1).filter(([b, q]) => p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 3 && q.top < p.bottom - 3).map(([b]) => a + ' / ' + b)); })""")
    check(overlaps == [], "labels over one another: %s" % overlaps[:6])
    for i in range(browser.ask("document.querySelectorAll('figure .plot').length")):
        browser.ask("document.querySelectorAll('figure .plot')[%d].focus()" % i)
        texts = []
        for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
            browser.press(key)
            texts.append(browser.ask("(t => t.hidden ? '' : t.textContent)(document.querySelectorAll('figure .plot')[%d].parentElement.querySelector('.tip'))" % i))
        check(all(texts) and len(set(texts)) >= (2 if least == 16 else 1), "keys in chart %d read %s" % (i, texts))
        check("NaN" not in "".join(texts) and "undefined" not in "".join(texts), "chart %d reads %s" % (i, texts))
        browser.press("Escape")
    browser.ask("document.querySelector('figure .plot').scrollIntoView({block: 'center'})")
    x, y = browser.ask("(b => [b.left + b.width / 2, b.top + b.height / 2])(document.querySelector('figure .plot').getBoundingClientRect())")
    browser.mouse(x, y)
    check("step" in text_of(browser, "figure .tip:not([hidden])"), "no tooltip where the mouse is")
    browser.mouse(1, 1)


def browse(browser, data):
    examples, heads = data["examples"], data["heads"]
    status = lambda: text_of(browser, "#browser-status")
    shown = lambda: browser.ask("[...document.querySelectorAll('#examples article')].map(a => a.querySelector('h3').textContent)")
    browser.ask("document.activeElement.blur()")
    browser.press("/")
    check(browser.ask("document.activeElement.type") == "search", "/ does not go to the search")
    browser.write("great worse")
    wanted = sum("great worse" in e["text"] or "great worse" in e["source"] for e in examples)
    check(0 < wanted < len(examples), "the search finds everything or nothing: %d" % wanted)
    check(status().startswith("%d of " % wanted), "search: %r, should be %d" % (status(), wanted))
    browser.press("Enter")
    check(browser.ask("document.activeElement.getAttribute('aria-label')").startswith("Text 1 of"), "Enter does not go to the first text")
    browser.press("j")
    check(browser.ask("document.activeElement.getAttribute('aria-label')").startswith("Text 2 of"), "j does not go to the next text")
    browser.press("k")
    check(browser.ask("document.activeElement.getAttribute('aria-label')").startswith("Text 1 of"), "k does not go back")
    check(browser.ask("!CSS.highlights || CSS.highlights.get('found').size > 0"), "what was searched is not shown")
    browser.press("/")
    for letters in ("nothing has this",):
        browser.write(letters)
    check("No text fits" in status() or status().startswith("0"), "search without a result: %r" % status())
    browser.press("Escape")
    check(status() == "%d texts." % len(examples), "Escape does not empty the search: %r" % status())
    place = {e["source"]: e for e in examples}

    def choose(label, value):
        browser.ask("""(s => { s.value = %s; s.dispatchEvent(new Event('change', {bubbles: true})); })(
          [...document.querySelectorAll('.controls label')].find(l => l.firstChild.textContent === %s).querySelector('select'))""" % (json.dumps(value), json.dumps(label)))
        return [next(e for s, e in place.items() if s in title) for title in shown()]

    for k in range(len(heads)):
        for way in "du":
            errors = [e["heads"][k]["error"] for e in choose("Sort by", "%d%s" % (k, way))]
            check(len(errors) == 10 and errors == sorted(errors, reverse=way == "d"), "sorted by %s%s: %s" % (k, way, errors))
    top = max(e["heads"][1]["error"] for e in examples)
    check(choose("Sort by", "1d")[0]["heads"][1]["error"] == top, "the worst is not the first")
    chosen = choose("Show", "w0")
    check(chosen and all(e["heads"][0]["truth"] != e["heads"][0]["predicted"] for e in chosen), "wrong only")
    choose("Show", "")
    chosen = choose("Truth", "1:8")
    check(chosen and all(e["heads"][1]["truth"] == 8 for e in chosen), "filter by the truth")
    choose("Truth", "")
    check(all(0 in e["lists"] for e in choose("Which", "0")), "the worst of a head")
    choose("Which", "all")
    # marks
    choose("Sort by", "row")
    marks = browser.ask("[...document.querySelectorAll('#examples mark')].map(m => [m.className, Number(m.dataset.value)])")
    check(len(marks) > 50 and all((c.startswith("for")) == (v > 0) for c, v in marks), "marks and their signs")
    first = browser.ask("document.querySelector('#examples .review').textContent")
    hostile = next(e for e in examples if e["row"] == 0)
    check(first == hostile["text"] and "<script>window.hacked = 1</script>" in first, "a hostile text is not shown as it is: %r" % first[:100])
    smile = browser.ask("[...document.querySelectorAll('#examples article')][0].querySelectorAll('mark')[2].textContent")
    check(smile == "\U0001F600", "positions of marks behind characters of two units: %r" % smile)
    before = browser.ask("document.querySelector('#examples article:nth-child(3) .review').innerHTML")
    browser.ask("document.activeElement.blur()")
    browser.press("m")
    check(browser.ask("document.querySelector('#examples article:nth-child(3) .review').innerHTML") != before, "m does not mark for another head")
    browser.ask("document.querySelector('#examples mark').scrollIntoView({block: 'center'})")
    x, y = browser.ask("(b => [b.left + 4, b.top + 6])(document.querySelector('#examples mark').getClientRects()[0])")
    browser.mouse(x, y)
    tip = browser.ask("[...document.querySelectorAll('body > .tip')].map(t => t.hidden ? '' : t.textContent).join('')")
    check(any(sign in tip for sign in "+\u2212"), "no value where the mouse is on a token: %r" % tip)
    browser.mouse(1, 1)
    unread = browser.ask("[...document.querySelectorAll('.unread')].map(e => e.textContent)")
    check(any("not read by the model" in t and "has not seen it" in t for t in unread), "the unread end is not shown apart")
    check(any("more bytes are not on this page" in t for t in unread), "a text of 100 kB is not shortened: %s" % unread)
    # letters do nothing when they are switched off
    browser.ask("document.querySelector('.controls input[type=checkbox]').click(); document.activeElement.blur()")
    browser.press("/")
    check(browser.ask("document.activeElement.tagName") == "BODY", "shortcuts cannot be switched off")
    browser.ask("document.querySelector('.controls input[type=checkbox]').click()")


def play(browser, data, pictures):
    """A whole game by the keyboard alone; the score is computed here again."""
    heads, texts = data["heads"], [e for e in data["examples"] if -1 in e["lists"]]
    browser.screen(1200, 900)
    browser.ask("document.activeElement.blur()")
    browser.press("g")
    right, off = [0, 0], [0.0, 0.0]
    for i, example in enumerate(texts):
        panel = text_of(browser, "#game-panel").replace(" [not read by the model:] ", "")
        check("Text %d of %d" % (i + 1, len(texts)) in panel, "round %d: %r" % (i, panel[:60]))
        check(example["text"] in panel, "round %d: not the text" % i)
        check(browser.ask("document.querySelectorAll('#game-panel mark').length") == 0 and example["source"] not in panel and "truth" not in panel.replace(example["text"], "").lower(),
              "round %d: the answer can be seen before the guess" % i)
        guess = i % 2
        browser.press(str(guess + 1))
        if i == 2:  # second thoughts
            browser.press("Backspace")
            guess = 1 - guess
            browser.press(str(guess + 1))
        if i == 4:
            browser.press("Escape")
            check(browser.ask("document.getElementById('game-panel').hidden && document.activeElement.id") == "game-start", "Escape does not leave")
            browser.press("Enter")
        stars = 1 + i % 10
        check("You said is_positive: " + ("negative", "positive")[guess] in text_of(browser, "#game-panel"), "round %d: the first answer is not shown" % i)
        if i == 1:
            browser.picture(os.path.join(pictures, "game_question.png"))
        browser.press(str(stars % 10))
        one, two = example["heads"]
        right[0] += guess == one["truth"]
        right[1] += one["predicted"] == one["truth"]
        off[0] += abs(stars - two["truth"])
        off[1] += abs(two["predicted"] - two["truth"])
        spoken = text_of(browser, "#game [role=status]")
        check("is_positive: truth " + ("negative", "positive")[int(one["truth"])] in spoken, "round %d is not told: %r" % (i, spoken))
        score = text_of(browser, "#game-score")
        check("Score after %d text" % (i + 1) in score, "round %d: %r" % (i, score))
        for n, value in ((0, right[0]), (1, right[1])):
            check("%d of %d (" % (value, i + 1) in score, "round %d: %d right is not in %r" % (i, value, score))
        for value in off:
            check("%.3f" % (value / (i + 1)) in score or "%d" % (value / (i + 1)) in score, "round %d: error %.3f is not in %r" % (i, value / (i + 1), score))
        if i == 1:
            browser.picture(os.path.join(pictures, "game_answer.png"))
        check(browser.ask("document.activeElement.id") == "game-next", "round %d: the next text is not one key away" % i)
        browser.press("Enter")
    check("All %d texts are played" % len(texts) in text_of(browser, "#game-panel"), "the end of the game")
    check(0 < right[1] and right[0] != right[1], "the game compares nothing")


def keyboard(browser):
    """Tab reaches everything, and what has the focus can be seen."""
    browser.ask("document.activeElement.blur(); scrollTo(0, 0)")
    reached, unseen = set(), []
    for _ in range(260):
        browser.press("Tab")
        name, width = browser.ask("(e => [e.tagName + (e.id || e.className), getComputedStyle(e).outlineWidth])(document.activeElement)")
        if name.startswith("BODY"):
            break
        reached.add(name.split(" ")[0])
        if width not in ("3px",):
            unseen.append((name, width))
    check(not unseen, "the focus cannot be seen on %s" % unseen[:5])
    for wanted in ("BUTTONtheme", "A", "INPUT", "SELECT", "DIVplot", "SUMMARY", "Preview", "BUTTONgame-start"):
        check(wanted in reached, "Tab does not reach %s: %s" % (wanted, sorted(reached)))


def main():
    folder, pictures, others = sys.argv[1], sys.argv[2], sys.argv[3:]
    program = find()
    if not program:
        print("SKIPPED: no Chromium")
        return 4
    os.makedirs(pictures, exist_ok=True)
    browser = Browser(program)
    try:
        for page in ("full", "other_heads", "empty", "running", "no_labels"):
            looks(browser, folder, pictures, page)
        browser.screen(1200, 900)
        browser.open(os.path.join(folder, "full.html"))
        data = json.loads(browser.ask("document.getElementById('data').textContent"))
        check("default-src 'none'" in browser.ask("document.querySelector('meta[http-equiv]').content"), "no policy")
        keyboard(browser)
        charts(browser)
        browse(browser, data)
        play(browser, data, pictures)
        browser.ask("document.getElementById('theme').click()")
        light = browser.ask("getComputedStyle(document.body).backgroundColor")
        browser.ask("document.getElementById('theme').click()")
        check(browser.ask("getComputedStyle(document.body).backgroundColor") != light, "the theme's button changes nothing")
        check(browser.ask("getComputedStyle(document.documentElement).scrollBehavior") == "auto", "motion that nobody wants")
        browser.screen(1200, 900, reduced=False)
        check(browser.ask("getComputedStyle(document.documentElement).scrollBehavior") == "smooth", "reduced motion is not asked for")
        for complaint in browser.complaints():
            check(False, "after all keys: " + complaint)
        # other heads: a game with an input for numbers
        browser.screen(360, 740, phone=True)
        browser.open(os.path.join(folder, "other_heads.html"))
        charts(browser, least=12)
        browser.screen(360, 740, phone=True)
        browser.open(os.path.join(folder, "other_heads.html"))
        browser.press("g")
        browser.press("3")
        browser.write("123.5")
        browser.press("Enter")
        browser.press("1")
        answer = text_of(browser, "#game-panel .answer")
        check("science" in answer and "123.5" in answer and "not spam" in answer, "a game with other heads: %r" % answer)
        check(browser.ask("document.documentElement.scrollWidth") <= 360, "the game is too wide for a phone")
        browser.picture(os.path.join(pictures, "game_phone.png"))
        for complaint in browser.complaints():
            check(False, "other heads: " + complaint)
        for path in others:  # pages of real runs
            browser.screen(1200, 900)
            browser.open(path)
            for complaint in browser.complaints():
                check(False, path + ": " + complaint)
            browser.picture(os.path.join(pictures, "other.png"), whole=True)
    finally:
        browser.close()
    print("%d problems" % len(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
