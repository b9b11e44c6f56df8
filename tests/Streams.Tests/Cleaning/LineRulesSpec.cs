using Streaming.Streams.Cleaning;

namespace Streaming.Streams.Tests.Cleaning;

public sealed class LineRulesSpec
{
    [Theory]
    [InlineData("続きを読む")]
    [InlineData("続きを読む »")]
    [InlineData("▶ もっと見る")]
    [InlineData("[詳しくはこちら]")]
    [InlineData("Read more")]
    [InlineData("Read More...")]
    [InlineData("ＲＥＡＤ　ＭＯＲＥ")]
    [InlineData("Continue Reading →")]
    [InlineData("今日は久しぶりに友人と京都へ出かけてきました。とても [続きを読む]")]
    public void Teasers_go_as_read_more(string line) => Drops(line, CleaningReason.ReadMore);

    [Theory]
    [InlineData("ホーム ログイン 会員登録 ヘルプ")]
    [InlineData("前の記事へ　　次の記事へ")]
    [InlineData("トップページへ")]
    [InlineData("ページの先頭へ戻る")]
    [InlineData("最近のコメント")]
    [InlineData("お問い合わせ・資料請求")]
    [InlineData("プライバシーポリシー")]
    [InlineData("特定商取引法に基づく表記")]
    [InlineData("メインコンテンツへスキップ")]
    [InlineData("PREVIOUS NEXT")]
    public void Navigation_goes(string line) => Drops(line, CleaningReason.Navigation);

    [Theory]
    [InlineData("ホーム > 会社概要 > アクセス")]
    [InlineData("TOP » 家電 » 冷蔵庫 » 大型冷蔵庫")]
    [InlineData("楽天市場 ＞ 本・雑誌 ＞ 小説・エッセイ ＞ 日本の小説")]
    [InlineData("旅行 › 京都 › 嵐山の宿")]
    public void Breadcrumb_trails_go(string line) => Drops(line, CleaningReason.Breadcrumb);

    [Theory]
    [InlineData("経済 | 政治 | 国際 | スポーツ | 文化")]
    [InlineData("新着｜人気｜特集｜占い")]
    [InlineData("国内／海外／温泉／ホテル")]
    public void Menus_go(string line) => Drops(line, CleaningReason.Menu);

    [Theory]
    [InlineData("ツイート シェア はてなブックマーク LINEで送る")]
    [InlineData("Facebookでシェア Twitterでフォロー")]
    [InlineData("このエントリーをはてなブックマークに追加")]
    [InlineData("にほんブログ村 人気ブログランキングへ")]
    public void Share_buttons_go(string line) => Drops(line, CleaningReason.Share);

    [Theory]
    [InlineData("Copyright © 2010-2024 株式会社サンプル All Rights Reserved.")]
    [InlineData("© 2015 日本料理研究会")]
    [InlineData("(C) Sample Corporation 2008")]
    [InlineData("Ｃｏｐｙｒｉｇｈｔ（Ｃ）２００８　山田商店")]
    [InlineData("当サイトに掲載の記事・写真の無断転載を禁じます。")]
    [InlineData("Powered by WordPress | Theme by サンプル")]
    public void Copyright_lines_go(string line) => Drops(line, CleaningReason.Copyright);

    [Theory]
    [InlineData("当サイトでは、利便性の向上のためCookieを使用しています。")]
    [InlineData("このサイトはクッキーを使用します。閲覧を続けると、クッキーの使用に同意したことになります。")]
    [InlineData("JavaScriptを有効にしてご利用ください")]
    [InlineData("お使いのブラウザは最新ではありません。")]
    [InlineData("上の広告は90日以上更新のないブログに表示しています。")]
    public void Notices_go(string line) => Drops(line, CleaningReason.Notice);

    [Theory]
    [InlineData("2023年4月1日(土) 10:00")]
    [InlineData("2010/03/15 22:41:07")]
    [InlineData("コメント(3) トラックバック(0)")]
    [InlineData("投稿日：2012年12月24日 投稿者：管理人")]
    [InlineData("閲覧数 1,234")]
    [InlineData("Posted by admin at 12:30 | Comments (0)")]
    [InlineData("この記事へのトラックバック一覧です")]
    public void Dates_and_counters_go(string line) => Drops(line, CleaningReason.DateOrCounter);

    [Theory]
    [InlineData("https://www.example.com/articles/2020/index.html をご覧ください。", CleaningReason.Url)]
    [InlineData("WWW.EXAMPLE.CO.JP/abc/def/ghi サイトの住所です。", CleaningReason.Url)]
    [InlineData("あああああああああああああああああああああ", CleaningReason.RepeatedCharacters)]
    [InlineData("■■■■■■■■■■ 見出し ■■■■■■■■■■", CleaningReason.RepeatedCharacters)]
    [InlineData("★☆★☆★☆特価★☆★☆★☆", CleaningReason.DigitsAndSymbols)]
    [InlineData("The quick brown fox jumps over the lazy dog, and the dog sleeps on.", CleaningReason.NotJapanese)]
    [InlineData("Съешь же ещё этих мягких французских булок, да выпей чаю.", CleaningReason.NotJapanese)]
    [InlineData("이 문장은 한국어로 쓰여 있으며 일본어가 아닙니다.", CleaningReason.NotJapanese)]
    [InlineData("人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。", CleaningReason.WithoutKana)]
    [InlineData("東京", CleaningReason.LineTooShort)]
    [InlineData("　　 \t", CleaningReason.LineTooShort)]
    [InlineData("\u200B\uFEFF\u0301", CleaningReason.LineTooShort)]
    [InlineData("\uD800", CleaningReason.LineTooShort)]
    public void Other_junk_goes(string line, CleaningReason reason) => Drops(line, reason);

    [Theory]
    [InlineData("吾輩は猫である。名前はまだ無い。")]
    [InlineData("「はい。」")]
    [InlineData("「続きを読む」")]
    [InlineData("彼は続きを読むのをやめた。")]
    [InlineData("次へ次へと客が来るので、休む暇もない。")]
    [InlineData("JavaScriptのReactフレームワークでSPAを作る方法を説明します。")]
    [InlineData("ログインするには、まず会員になる必要がある。")]
    [InlineData("昭和二十年八月十五日、戦争は終わった。")]
    [InlineData("2011年3月11日に起きた地震の後、町の様子は一変した。")]
    [InlineData("公式サイト（https://example.jp/）によれば、展覧会は来月までの予定だという。会場は駅から歩いて五分のところにある。")]
    [InlineData("雙生の椿咲く丘はしきよし花はつら／＼樹さへつら／＼")]
    [InlineData("「えーーーーーーーっ！」と彼女は叫んだ。")]
    [InlineData("(c) 契約を解除した場合には、前号の規定を適用しない。")]
    [InlineData("彼は私の意見に同意する、と言った。")]
    [InlineData("秋の田のかりほの庵の苫をあらみわが衣手は露にぬれつつ")]
    [InlineData("𠮷野家で𩸽の開きを食べるのが好きだ。")]
    public void Text_stays(string line) => Drops(line, CleaningReason.None);

    [Fact]
    public void A_line_past_the_longest_goes()
    {
        var line = string.Concat(Enumerable.Repeat("長い文が続く。", 3000));
        Drops(line, CleaningReason.LineTooLong);
        Drops(line[..^1010], CleaningReason.None);
    }

    [Fact]
    public void Without_rules_everything_stays()
    {
        Assert.True(CleaningOptions.Off.HasNoRules);
        Assert.False(CleaningOptions.Web.HasNoRules);
        Assert.Equal(CleaningReason.None, Check("x", CleaningOptions.Off));
        Assert.Equal(CleaningReason.None, Check("続きを読む", CleaningOptions.Wikipedia with { MinimumLineCharacters = 0 }));
    }

    [Theory]
    [InlineData("そうだ。", true)]
    [InlineData("そうだ。）", true)]
    [InlineData("「そうか」", true)]
    [InlineData("花に現れ、", true)]
    [InlineData("Is it?  ", true)]
    [InlineData("会社概要", false)]
    [InlineData("コメント(3)", false)]
    [InlineData("", false)]
    public void Ends_of_sentences_are_told(string line, bool ends) => Assert.Equal(ends, LineRules.EndsLikeSentence(line));

    [Fact]
    public void Characters_are_counted_by_class()
    {
        // 300 of each, so that a count passes what one byte holds.
        var line = string.Concat(Enumerable.Repeat("あア漢aA1。★ д", 300));
        var profile = LineProfile.Of(line);
        Assert.Equal((300, 300, 300, 600, 300, 300, 300, 300), (profile.Hiragana, profile.Katakana, profile.Kanji, profile.Latin, profile.Digits, profile.Punctuation, profile.Symbols, profile.OtherLetters));
        Assert.Equal(2700, profile.Visible);
    }

    private static void Drops(string line, CleaningReason reason) => Assert.Equal(reason, Check(line, CleaningOptions.Web));

    private static CleaningReason Check(string line, CleaningOptions options) => LineRules.Check(line, LineProfile.Of(line), options, out _);
}
