using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Tests.Wikipedia;

public sealed class WikitextExtractorSpec
{
    [Theory]
    [InlineData("a {{b}} c", "a c")]
    [InlineData("a {{b|c={{d|[[e]]}}|f}}g", "a g")]
    [InlineData("{{Infobox\n| a = {{b}}\n| c = [[d]]\n}}'''Text''' here.", "Text here.")]
    [InlineData("{{{1|default}}}x", "x")]
    [InlineData("a{{#if:{{{b|}}}|c|d}}e", "ae")]
    [InlineData("{{foo|\n{|\n|a\n|}\n}}b", "b")]
    [InlineData("{{foo|a=1\n|}}b", "b")]
    [InlineData("a {{b c", "a b c")]
    [InlineData("a }} b", "a b")]
    [InlineData("{{a|[[b}} c", "c")]
    [InlineData("[[x|{{a|b]]}} c]]", "c")]
    [InlineData("a {b} c", "a {b} c")]
    public void Templates_go(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("[[A]]s [[B|c]]d", "As cd")]
    [InlineData("[[A#B|c]] [[A#B]] [[#B]]", "c A#B #B")]
    [InlineData("[[A|b|c]]", "c")]
    [InlineData("a[[]]b", "ab")]
    [InlineData("[[A (b)|]] [[A, b|]] [[Help:A|]] [[東京 （曖昧さ回避）|]]", "A A A 東京")]
    [InlineData("[[:Category:A]] [[:File:a.png|x]] [[:en:A|B]]", "Category:A x B")]
    [InlineData("[[Help:IPA|[a]]] b", "[a] b")]
    [InlineData("[[2001: A Space Odyssey]] [[Re:ゼロ]]", "2001: A Space Odyssey Re:ゼロ")]
    [InlineData("a[[Category:B]][[category : c|d]][[de:E]][[zh-min-nan:F]]", "a")]
    [InlineData("[[File:a.jpg|thumb|b [[c]] d {{e}} [http://f g]]]h", "h")]
    [InlineData("[[Image:a.jpg|thumb|[[File:b.png]] [[c|d]]]]\ne", "e")]
    [InlineData("a [[b c", "a b c")]
    [InlineData("a ]] b", "a b")]
    [InlineData("a\n[[File:b.jpg|thumb|c [[d]] e\nf", "a|f")]
    [InlineData("[[a|{{b}}''c'' [[d|e]]]]", "c e")]
    [InlineData("[[[a]]]", "[a]")]
    [InlineData("[[wikt:a|b]] [[w:c|d]] [[:s:e|f]]", "b d f")]
    [InlineData("[[https://a.jp b]] c", "b c")]
    public void Links_read_as_their_labels(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("[http://a.jp b c] d", "b c d")]
    [InlineData("a [http://a.jp] b", "a b")]
    [InlineData("[//a.jp ''b'' [[c]]] [mailto:a@b d]", "b c d")]
    [InlineData("http://a.jp/b_c?d=e は", "http://a.jp/b_c?d=e は")]
    [InlineData("a [b] [c", "a [b] [c")]
    [InlineData("[http://a.jp b\nc]", "[http://a.jp b|c]")]
    [InlineData("[http://a.jp　日本]", "日本")]
    [InlineData("[http://a.jp/{{b}}/c d]", "d")]
    [InlineData("[[a|[http://b c]]]", "c")]
    public void Links_to_addresses_read_as_their_labels(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("a\n{| class=x\n! b\n|-\n| c || [[d]]\n|}\ne", "a|e")]
    [InlineData("{|\n| a\n{|\n| b\n|}\n| c\n|}\nd", "d")]
    [InlineData(":{|\n|a\n|}\nb", "b")]
    [InlineData("a\n{| class=x\n| b\n! c\nd\n", "a|d")]
    [InlineData("<table><tr><td>a<table><tr><td>b</table></td></tr></table>c", "c")]
    [InlineData("a\n|}\nb", "a|b")]
    [InlineData("{{x|\n{|\n| a {{!}} b\n|}\n}}c", "c")]
    [InlineData("{|\n| a {{b|}}\n|\n|}c", "c")]
    [InlineData("<center>{|\n| a\n|}</center>b", "b")]
    [InlineData("a {| b |} c", "a c")]
    public void Tables_go(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("a<ref>b</ref>c<ref name=\"d\"/>e<REF name='f' >g<br/></Ref >h", "aceh")]
    [InlineData("a<ref name=b>{{c</ref>d", "ad")]
    [InlineData("a<ref>b", "ab")]
    [InlineData("a<references><ref>b</ref></references>c", "ac")]
    [InlineData("a<gallery>\nb.jpg|[[c]]\n</gallery>d", "ad")]
    [InlineData("<math>\\frac{a}{{b}}</math>x<syntaxhighlight lang=\"c\">{{[[</syntaxhighlight>y<score>{ c }</score>z", "xyz")]
    [InlineData("<b>a</b> <span style=\"x\">b</span> <small>c</small><sup>2</sup> <code>d</code>", "a b c2 d")]
    [InlineData("a<br>b<br />c</br>d", "a b c d")]
    [InlineData("<div>a</div>b<blockquote>c</blockquote>", "a|b|c")]
    [InlineData("a < b <c> <stdio.h> 1<2", "a < b <c> <stdio.h> 1<2")]
    [InlineData("a<!-- b {{ -->c<!-- d", "ac")]
    [InlineData("<div a <b>c</b>", "a c")]
    [InlineData("<poem>a\nb</poem>", "a|b")]
    [InlineData("a<includeonly>b</includeonly><onlyinclude>c</onlyinclude>", "ac")]
    [InlineData("<<ref>a</ref>ref>b", "< ref>b")]
    public void Tags_go_and_text_stays(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("''a'' '''b''' '''''c'''''", "a b c")]
    [InlineData("L'''amour'' est", "L'amour est")]
    [InlineData("'''a''''s b", "a's b")]
    [InlineData("''a '''b'' c", "a b c")]
    [InlineData("a '''b\nc''' d", "a b|c d")]
    [InlineData("it's ''a's''", "it's a's")]
    [InlineData("''''''a''''''", "'a'")]
    [InlineData("'''''a'' b'''", "a b")]
    public void Runs_of_apostrophes_are_read_as_by_MediaWiki(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("<nowiki>[[a]] ''b'' {{c}} &lt;</nowiki>", "[[a]] ''b'' {{c}} <")]
    [InlineData("<nowiki>* a</nowiki>", "* a")]
    [InlineData("a<nowiki/>b", "ab")]
    [InlineData("<nowiki>a", "a")]
    public void What_is_no_wikitext_is_taken_as_it_is(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("a&nbsp;b &amp; &lt;ref&gt; &#x3042;&#12356; &hearts;&NotEqualTilde;", "a b & <ref> あい ♥≂̸")]
    [InlineData("a&amp;nbsp;b &amp;amp; &amp;lt;", "a b & <")]
    [InlineData("&unknown; & &; &#0; &#xD800; &#99999999;", "&unknown; & &; &#0; &#xD800; &#99999999;")]
    [InlineData("&#150;&#10;&Tab;a", "– a")]
    [InlineData("&#42; a", "* a")]
    public void Entities_are_decoded(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("__NOTOC__a__TOC__ __目次非表示__b __init__ __FILE__ c__d", "a b __init__ __FILE__ c__d")]
    [InlineData("{{DEFAULTSORT:x}}{{PAGENAME}}は", "表題は")]
    [InlineData("-{a}- -{zh-hans:b; zh-hant:c}-d-{H|x}-", "a bd")]
    public void Magic_words_go(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("== A ==\nb\n=== C ===\n==== D ====\ne", HeadingStyle.Sentence, "A.|b|C.|D.|e")]
    [InlineData("== A ==\n=== B ===\n== C? ==\nd", HeadingStyle.Sentence, "C?|d")]
    [InlineData("== A ==\n* b\n== C ==\nd\n== E ==", HeadingStyle.Sentence, "C.|d")]
    [InlineData("= A =\n== ''B'' [[c|d]] ==<!-- e -->\nf", HeadingStyle.Plain, "A|B d|f")]
    [InlineData("== A ==\nb", HeadingStyle.Drop, "b")]
    [InlineData("=a\n==b== c", HeadingStyle.Plain, "=a|==b== c")]
    public void Headings_stand_before_the_text_of_their_sections(string wikitext, HeadingStyle headings, string expected) =>
        Assert.Equal(expected, Wikitext.Text(wikitext, new WikitextOptions { Headings = headings }));

    [Theory]
    [InlineData("* a\n** [[b]]\n# c\n; d : e\n:: f\n:* g\n*\n*{{h}}", true, "a|b|c|d : e|f|g")]
    [InlineData("* a\n# b\n; c\n: d\n:* e\nf", false, "d|e|f")]
    [InlineData("<ul><li>a<li>b</ul>c<ol><li>d</li></ol>", true, "a|b|c|d")]
    [InlineData("<ul><li>a<ul><li>b</ul></ul>c", false, "c")]
    public void Lists_are_kept_or_dropped(string wikitext, bool keep, string expected) =>
        Assert.Equal(expected, Wikitext.Text(wikitext, new WikitextOptions { KeepLists = keep }));

    [Theory]
    [InlineData("  a \t b\u00A0c　d  \n\n----\n---- e\n...\n。、\nf", "a b c d|e|f")]
    [InlineData("a\n|b\nc", "a|c")]
    [InlineData("", "")]
    [InlineData("\n\n", "")]
    public void White_space_is_folded_and_lines_without_words_go(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));
}
