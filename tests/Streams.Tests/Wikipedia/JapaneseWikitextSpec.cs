using Streaming.Streams.Wikipedia;

namespace Streaming.Streams.Tests.Wikipedia;

public sealed class JapaneseWikitextSpec
{
    [Theory]
    [InlineData("'''東京'''（{{IPA|toːkʲoː}}）は", "東京は")]
    [InlineData("東京（とうきょう、{{IPA|a}}）は", "東京（とうきょう）は")]
    [InlineData("東京（{{IPA|a}}、英: Tokyo）は", "東京（英: Tokyo）は")]
    [InlineData("東京（{{a}}、{{b}}・{{c}}）は", "東京は")]
    [InlineData("東京({{a}}; {{b}})は", "東京は")]
    [InlineData("東京 （{{a}}）、は", "東京、は")]
    [InlineData("東京（（{{a}}）、{{b}}）は", "東京は")]
    [InlineData("（{{没年齢|1900|1|1|1980|1|1}}）", "")]
    [InlineData("東京（1900年 - {{a}}）は", "東京（1900年 -）は")]
    [InlineData("関数f()と（）は", "関数f()と（）は")]
    [InlineData("注<ref>a</ref>（<ref>b</ref>）は。", "注は。")]
    [InlineData("甲、{{a}}、乙", "甲、乙")]
    [InlineData("式（<math>x</math>）と、<math>y</math>。", "式と、。")]
    public void Parentheses_that_a_template_left_empty_go(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Theory]
    [InlineData("{{読み仮名|'''東京'''|とうきょう}}は", "東京（とうきょう）は")]
    [InlineData("{{読み仮名_ruby不使用|東京|とうきょう|旧: 江戸}}は", "東京（とうきょう、旧: 江戸）は")]
    [InlineData("{{ruby|躑躅|つつじ}}の花", "躑躅（つつじ）の花")]
    [InlineData("<ruby>躑躅<rp>(</rp><rt>つつじ</rt><rp>)</rp></ruby>の花", "躑躅（つつじ）の花")]
    [InlineData("東京（{{lang-en-short|Tokyo}}、{{Lang|fr|''Tokio''}}）", "東京（Tokyo、Tokio）")]
    [InlineData("{{Lang-en|[[Tokyo Tower|the Tower]]}}", "the Tower")]
    [InlineData("{{仮リンク|記事|en|Article}}と{{仮リンク|記事A|en|Article|label=記事}}", "記事と記事")]
    [InlineData("{{JIS2004フォント|葛}}飾区の{{補助漢字フォント|𩸽}}", "葛飾区の𩸽")]
    [InlineData("{{要出典範囲|諸説がある|date=2020年1月}}。{{要出典|date=2020年1月}}", "諸説がある。")]
    [InlineData("{{nowrap|{{lang|en|a b}}}}", "a b")]
    [InlineData("{{Lang|en}}x{{lang|en|}}", "x")]
    [InlineData("{{lang\n|en\n|2=x}}", "x")]
    [InlineData("前の文。{{quotation|引用の[[文]]。|作者}}後の文。", "前の文。|引用の文。|後の文。")]
    [InlineData("距離は{{convert|5|km|mi}}。", "距離は5 km。")]
    public void Templates_that_stand_for_text_leave_it(string wikitext, string expected) => Assert.Equal(expected, Wikitext.Text(wikitext));

    [Fact]
    public void An_article_becomes_its_paragraphs()
    {
        const string Article =
            """
            {{Otheruses|日本の都市|その他の用法}}
            {{基礎情報 市区町村
            |名称 = 見本市
            |画像 = [[ファイル:Mihon.jpg|300px|{{legend|#f00|見本}}]]
            |人口 = {{自治体人口/見本県|見本市}}<ref>{{Cite web|url=http://a.jp|title=人口|accessdate=2020-01-01}}</ref>
            }}
            '''見本市'''（みほんし、{{lang-en-short|Mihon City}}）は、[[見本県]]の[[市]]である{{Sfn|見本|2001|p=3}}。[[人口]]は約10万人{{Refnest|group="注釈"|2020年現在。<ref name="a" />}}。
            [[ファイル:Mihon station.jpg|thumb|left|[[見本駅]]の[[駅舎|建物]]（[[2001年]]、{{仮リンク|改築|en|Rebuilding}}前）]]
            __目次強制__
            == 概要 ==
            {{Main|見本の歴史}}
            市の花は<span lang="ja">[[ツツジ|躑躅]]</span>、市の木は[[ケヤキ属#種|欅]]<!-- 2005年に制定 -->。<br />面積は12.3&nbsp;[[平方キロメートル|km<sup>2</sup>]]。

            === 隣接する自治体 ===
            * [[甲市]]
            ** [[乙町]]

            === 気候 ===
            {{Weather box}}
            {| class="wikitable"
            |+ 気温
            ! 月 !! 気温
            |-
            | 1月 || {| class="nested"
            | 5 || 6
            |}
            | 2月 || [[氷点|0]]
            |}
            気候は''温暖''である<ref group="注釈" name="b">註に {{lang|en|note}}。</ref>。

            == 脚注 ==
            {{脚注ヘルプ}}
            === 注釈 ===
            {{Reflist|group="注釈"}}
            <references />

            == 外部リンク ==
            * [http://a.jp/ 公式サイト]
            * {{Commonscat|Mihon}}

            <gallery>
            ファイル:a.jpg|[[説明]]
            </gallery>
            {{Normdaten}}
            {{DEFAULTSORT:みほんし}}
            [[Category:見本県の市町村]]
            [[カテゴリ:見本市|*]]
            [[en:Mihon]]
            """;
        Assert.Equal(
            [
                "見本市（みほんし、Mihon City）は、見本県の市である。人口は約10万人。",
                "概要.",
                "市の花は躑躅、市の木は欅。 面積は12.3 km2。",
                "気候.",
                "気候は温暖である。",
            ],
            Wikitext.Lines(Article, new WikitextOptions()));
    }
}
