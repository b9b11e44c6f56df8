using CsCheck;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Compression;
using Streaming.Streams.Text;
using Streaming.Tests;

namespace Streaming.Streams.Tests.Cleaning;

public sealed class DocumentCleanerSpec
{
    private static readonly string[] _prose =
    [
        "私はその人を常に先生と呼んでいた。だからここでもただ先生と書くだけで本名は打ち明けない。",
        "これは世間を憚かる遠慮というよりも、その方が私にとって自然だからである。",
        "私はその人の記憶を呼び起すごとに、すぐ「先生」といいたくなる。",
        "筆を執っても心持は同じ事である。よそよそしい頭文字などはとても使う気にならない。",
        "私が先生と知り合いになったのは鎌倉である。その時私はまだ若々しい書生であった。",
    ];

    [Fact]
    public void A_page_keeps_its_text_and_loses_its_frame()
    {
        string[] page =
        [
            "ホーム > 文学 > こころ", "ログイン | 会員登録 | ヘルプ", "2014年4月20日", .. _prose,
            "続きを読む", "ツイート シェア", "コメント(0)", "お問い合わせ", "Copyright (C) 2014 サンプル文庫 All Rights Reserved.",
        ];
        var (verdict, kept, dropped) = Clean(page);
        Assert.Equal(CleaningReason.None, verdict);
        Assert.Equal(_prose, kept);
        Assert.Equal(
            ["breadcrumb", "menu", "date-or-counter", "read-more", "share", "date-or-counter", "navigation", "copyright"],
            dropped.Select(line => line.Reason.Label()));
    }

    [Fact]
    public void A_list_of_fragments_goes_and_a_heading_stays()
    {
        string[] page = ["第一章　鎌倉", .. _prose, "冷蔵庫", "洗濯機の部品", "電子レンジ", "炊飯器　中古", "掃除機　激安"];
        var (_, kept, dropped) = Clean(page);
        Assert.Equal(["第一章　鎌倉", .. _prose], kept);
        Assert.Equal([CleaningReason.LineTooShort, .. Enumerable.Repeat(CleaningReason.FragmentList, 4)], dropped.Select(line => line.Reason));
    }

    public static TheoryData<CleaningReason, string[]> BadDocuments => new()
    {
        { CleaningReason.MostlyDropped, [.. Enumerable.Repeat("続きを読む", 90), .. _prose] },
        { CleaningReason.DocumentTooShort, [_prose[1]] },
        { CleaningReason.DocumentTooShort, ["短い文書である。", "これで終わり。"] },
        { CleaningReason.DocumentNotJapanese, [.. Enumerable.Range(0, 9).Select(i => $"Windows Server {(char)('A' + i)} Edition Professional version のダウンロードとインストール手順について")] },
        { CleaningReason.DocumentTooLittleHiragana, [.. Enumerable.Range(0, 9).Select(i => $"ルイヴィトン財布新作{(char)('ア' + i)}シャネルバッグ激安コピーブランド時計。送料無料、即日発送。")] },
        { CleaningReason.DocumentSymbols, [.. Enumerable.Range(0, 9).Select(i => $"★☆今日{(char)('あ' + i)}は☆楽★しい★お買い☆物の☆日です★。")] },
        { CleaningReason.EllipsisLines, [.. Enumerable.Range(0, 9).Select(i => $"{(char)('あ' + i)}の話の続きは次のページにありますので、そちらを読んでくださいませ…")] },
        { CleaningReason.BulletLines, [.. Enumerable.Range(0, 9).Select(i => $"・{(char)('あ' + i)}の部品は在庫があり、三日のうちに送ることができます。")] },
        { CleaningReason.WithoutSentences, [.. Enumerable.Range(0, 9).Select(i => $"激安通販 大特価 {(char)('あ' + i)}の お買い得な 家電製品 人気の商品 送料無料 即日発送 中古品 買取強化中の店")] },
        { CleaningReason.RepeatedLines, [.. Enumerable.Repeat("この商品は大変人気がありますので、お早めにお求めください。", 5), .. _prose] },
        { CleaningReason.TopNgram, [string.Join("、", Enumerable.Range(0, 40).Select(i => $"{(char)('あ' + i)}は引越し{(char)('ア' + i)}")) + "。"] },
        { CleaningReason.DuplicateNgrams, [string.Concat(_prose) + string.Concat(_prose)] },
    };

    [Theory]
    [MemberData(nameof(BadDocuments))]
    public void A_bad_document_goes_as_a_whole(CleaningReason reason, string[] document)
    {
        var (verdict, kept, _) = Clean(document);
        Assert.Equal(reason, verdict);
        Assert.Empty(kept);
    }

    [Fact]
    public void What_is_dropped_is_counted_by_reason()
    {
        string[] page = ["続きを読む", "", .. _prose, "もっと見る"];
        var cleaner = new DocumentCleaner(CleaningOptions.Web);
        var lines = Batch(page);
        cleaner.Clean(lines, 0, lines.Count, new TextBatch());
        cleaner.Clean(lines, 0, 1, new TextBatch());
        var statistics = cleaner.Statistics;
        Assert.Equal((3L, 15L), (statistics.Lines(CleaningReason.ReadMore), statistics.Characters(CleaningReason.ReadMore)));
        Assert.Equal((1L, 5L), (statistics.Documents(CleaningReason.None), statistics.Lines(CleaningReason.None)));
        Assert.Equal(1, statistics.Documents(CleaningReason.MostlyDropped));
        Assert.Equal(_prose.Sum(line => line.Length) + 15, statistics.TotalCharacters);
    }

    [Fact]
    public void What_is_kept_follows_from_the_document_alone()
    {
        var line = Gen.OneOf(Gen.OneOf<string>([.. _prose, "続きを読む", "冷蔵庫部品一覧", "x", "", "「はい。」"]), Gen.String[Gen.Char[' ', '\uFFFF'], 0, 300]);
        Gen.Select(line.Array[0, 12], line.Array[0, 12]).Sample((before, document) =>
        {
            var options = CleaningOptions.Web with { MinimumDocumentCharacters = 1 };
            var used = new DocumentCleaner(options);
            var lines = Batch([.. before, .. document, "後の文書の行である。"]);
            var kept = new TextBatch();
            used.Clean(lines, 0, before.Length, kept);
            var first = kept.Count;
            var verdict = used.Clean(lines, before.Length, before.Length + document.Length, kept);

            var alone = new TextBatch();
            Assert.Equal(new DocumentCleaner(options).Clean(Batch(document), 0, document.Length, alone), verdict);
            Assert.Equal(ToLines(alone), ToLines(kept).Skip(first));
            var next = 0; // each kept line is one of the document, in its order
            Assert.All(ToLines(alone), line => Assert.True((next = Array.IndexOf(document, line, next) + 1) > 0));
        });
    }

    [Fact]
    public void Literary_prose_survives_almost_whole()
    {
        using var file = new XzReadStream(new InputBuffer(File.OpenRead(ReferenceData.Path("corpus/aozora-01.txt.xz"))));
        using var reader = new StreamReader(file);
        var cleaner = new DocumentCleaner(CleaningOptions.Web);
        var (lines, kept) = (new TextBatch(), new TextBatch());
        for (var left = 40_000; left > 0 && reader.ReadLine() is { } line; left--)
        {
            if (line.Length > 0)
            {
                lines.AppendLine(line);
                continue;
            }
            cleaner.Clean(lines, 0, lines.Count, kept);
            lines.Clear();
            kept.Clear();
        }
        var share = (double)cleaner.Statistics.Characters(CleaningReason.None) / cleaner.Statistics.TotalCharacters;
        Assert.InRange(share, 0.98, 1); // prose is what cleaning is for to keep; what goes is headings, rules and texts in katakana
    }

    [Fact]
    public void Cleaning_allocates_nothing_in_the_long_run()
    {
        var lines = Batch(["ホーム > 文学 > こころ", .. _prose, "続きを読む", "2014年4月20日"]);
        var cleaner = new DocumentCleaner(CleaningOptions.Web);
        var kept = new TextBatch();
        Run(100);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run(1000);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000); // less than a byte a document: the measurement's own

        void Run(int times)
        {
            for (var time = 0; time < times; time++)
            {
                kept.Clear();
                cleaner.Clean(lines, 0, lines.Count, kept);
            }
        }
    }

    [Fact]
    public void A_range_outside_the_text_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new DocumentCleaner(CleaningOptions.Web).Clean(Batch(["一"]), 0, 2, new TextBatch()));

    [Fact]
    public void An_option_out_of_its_range_is_named()
    {
        Assert.Equal("MaximumUrlShare", Assert.Throws<ArgumentOutOfRangeException>(() => (CleaningOptions.Web with { MaximumUrlShare = 1.5 }).Validate()).ParamName);
        Assert.Equal("MinimumLineCharacters", Assert.Throws<ArgumentOutOfRangeException>(() => (CleaningOptions.Web with { MinimumLineCharacters = -1 }).Validate()).ParamName);
        CleaningOptions.Web.Validate();
        CleaningOptions.Wikipedia.Validate();
        CleaningOptions.Off.Validate();
    }

    private static (CleaningReason Verdict, string[] Kept, List<(string Line, CleaningReason Reason)> Dropped) Clean(string[] document)
    {
        var lines = Batch(document);
        var kept = new TextBatch();
        var sink = new Sink();
        return (new DocumentCleaner(CleaningOptions.Web).Clean(lines, 0, lines.Count, kept, sink), ToLines(kept), sink.Lines);
    }

    private static TextBatch Batch(string[] lines)
    {
        var batch = new TextBatch();
        foreach (var line in lines)
            batch.AppendLine(line);
        return batch;
    }

    private static string[] ToLines(TextBatch batch) => [.. Enumerable.Range(0, batch.Count).Select(index => batch[index].ToString())];

    private sealed class Sink : IRejectionSink
    {
        public List<(string Line, CleaningReason Reason)> Lines { get; } = [];

        public void DropLine(TextBatch lines, int line, CleaningReason reason) => Lines.Add((lines[line].ToString(), reason));

        public void DropDocument(TextBatch lines, int firstLine, int endLine, CleaningReason reason) { }
    }
}
