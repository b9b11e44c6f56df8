using Akka.Streams.Dsl;
using CsCheck;
using Streaming.Streams.Batches;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Measurement;

namespace Streaming.Streams.Tests.Cleaning;

public sealed class CleanedPipelineSpec(StreamFixture streams) : IClassFixture<StreamFixture>
{
    private const string Long = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた。";

    private static readonly CleaningOptions _cleaning = CleaningOptions.Off with
    {
        DropBoilerplate = true,
        MinimumFragmentCharacters = 2,
        Duplicates = DuplicateOptions.Web with { MemoryBytes = DuplicateOptions.LeastMemoryBytes },
    };

    [Fact]
    public async Task A_cleaned_stream_goes_on_bit_for_bit_with_its_state()
    {
        var line = Gen.OneOf([Long, Long[..40], Long[10..50], "「猫。」", "続きを読む", Long.Replace("猫", "犬"), "x", "犬と猫。"]);
        var document = line.Array[1, 3].Select(lines => string.Concat(lines.Select(text => text + "\n")) + "\n");
        var drawn = Gen.Select(document.Array[1, 25], Gen.Int[0, 1000], Gen.Int[1, 3], Gen.Int[1, 4]);
        var compared = 0;
        await Gen.Select(drawn, Gen.Bool).SampleAsync(async (text, shuffles) =>
        {
            var (documents, draw, epochs, workers) = text;
            using var files = new TextFiles();
            var options = new PipelineOptions
            {
                Sources = [new SourceOptions { Paths = [files.Write("a", string.Concat(documents)), files.Write("b", string.Concat(documents.Reverse()))], Cleaning = _cleaning, Epochs = epochs }],
                Tokenizer = "",
                BlockSize = 16,
                Rows = 1,
                ValidationFraction = 0.2,
                Workers = workers,
                Shuffle = shuffles ? new ShuffleOptions { Documents = 4, Seed = 3 } : null,
                TextBatchBytes = 100,
            };
            var stages = new PipelineStages(options, Split.Train, cursor: null, stateFolder: null, TestTokenizer.Instance, new PipelineStatistics());
            var whole = await Run(TextPipeline.Join(stages, Split.Train));
            if (whole.Count == 0)
                return;
            var cut = draw % whole.Count;
            foreach (var state in stages.StateAt(whole[cut].Cursor)) // the stream has run on, to its end
            {
                using var file = File.Create(Path.Combine(files.Folder, state.Name));
                state.Write(file);
            }
            var resumed = await Run(TextPipeline.Batches(options with { TextBatchBytes = 1000, Workers = 1 }, Split.Train, whole[cut].Cursor, TestTokenizer.Instance, stateFolder: files.Folder));
            Assert.Equal(whole.Skip(cut + 1).Select(batch => batch.Tokens), resumed.Select(batch => batch.Tokens));
            Assert.Equal(whole.Skip(cut + 1).Select(batch => batch.Cursor), resumed.Select(batch => batch.Cursor));
            Interlocked.Add(ref compared, resumed.Count);
        }, iter: 40, threads: 2);
        Assert.True(compared > 100, $"only {compared} batches were compared");

        async Task<IReadOnlyList<TokenBatch>> Run(Source<TokenBatch, Akka.NotUsed> batches) =>
            await batches.RunWith(Sink.Seq<TokenBatch>(), streams.Materializer).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task What_cleaning_did_is_counted_by_source()
    {
        using var files = new TextFiles();
        var statistics = new PipelineStatistics();
        var source = new SourceOptions { Name = "web", Paths = [files.Write("a", $"{Long}\n続きを読む\n\n{Long}\n\n")], Cleaning = _cleaning };
        await streams.Take(new PipelineOptions { Sources = [source], Tokenizer = "", BlockSize = 4, Rows = 1, ValidationFraction = 0 }, statistics: statistics);
        var cleaning = Assert.Single(statistics.Sources).Cleaning;
        Assert.Equal((1L, 1L, 1L), (cleaning.Lines(CleaningReason.ReadMore), cleaning.Documents(CleaningReason.DuplicateDocument), cleaning.Documents(CleaningReason.None)));
    }

    [Fact]
    public void A_source_is_shown_line_by_line()
    {
        using var files = new TextFiles();
        var path = files.Write("a", $"ホーム > 猫 > 犬\n{Long}\n「猫。」\n\n続きを読む\n\n{Long}\n「猫。」\n続きを読む\n\n「犬。」\n{Long}\n");
        var inspection = new SourceInspection(new SourceOptions { Paths = [path], Cleaning = _cleaning with { MaximumDroppedShare = 0.6 } });
        var documents = inspection.Documents(TestContext.Current.CancellationToken).ToList();
        Assert.Equal(
            [
                [CleaningReason.Breadcrumb, CleaningReason.None, CleaningReason.None],
                [CleaningReason.ReadMore],
                [CleaningReason.DuplicateDocument, CleaningReason.DuplicateDocument, CleaningReason.ReadMore],
                [CleaningReason.NearDuplicateDocument, CleaningReason.NearDuplicateDocument],
            ],
            documents.Select(document => document.Lines.Select(line => line.Reason)));
        Assert.Equal([CleaningReason.None, CleaningReason.MostlyDropped, CleaningReason.DuplicateDocument, CleaningReason.NearDuplicateDocument], documents.Select(document => document.Reason));
        Assert.Equal([0L, 1, 2, 3], documents.Select(document => document.Record));
        Assert.Equal((2L, 2L), (inspection.Statistics.Lines(CleaningReason.None), inspection.Statistics.Lines(CleaningReason.ReadMore)));
    }
}
