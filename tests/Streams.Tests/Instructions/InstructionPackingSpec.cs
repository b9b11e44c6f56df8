using System.Text.Json;
using CsCheck;
using Streaming.Streams.Batches;
using Streaming.Streams.Instructions;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Tests.Instructions;

public sealed class InstructionPackingSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private static readonly InstructionTemplate Template = new("<s>{instruction}猫{input}。", "<s>{instruction}。");

    private static int Begin => TestTokenizer.Instance.BosId!.Value;

    private static int End => TestTokenizer.Instance.EosId!.Value;

    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Blocks_hold_whole_records_each_a_document_and_only_answers_are_learned()
    {
        await Gen.Select(Records, Gen.Int[12, 40], Gen.Bool).SampleAsync(async (records, blockSize, shuffled) =>
        {
            using var files = new TextFiles();
            var options = Options(files, records) with { BlockSize = blockSize, Rows = 1, Shuffle = shuffled ? new() { Documents = 5 } : null };
            var statistics = new PipelineStatistics();
            var found = new List<string>();
            foreach (var batch in await streams.Take(options, statistics: statistics))
                found.AddRange(RecordsIn(batch));
            Assert.Equal(records.Select(Whole).Order(), found.Order());
            if (!shuffled)
                Assert.Equal(records.Select(Whole), found);
            Assert.Equal(0, statistics.DroppedTokens);
        }, iter: 60, threads: 2);
    }

    [Fact]
    public async Task A_stream_goes_on_from_any_cursor_bit_for_bit()
    {
        await Gen.Select(Records, Gen.Int[12, 40], Gen.Int[1, 3], Gen.Int[0, 1000], Gen.Int[0, 9]).SampleAsync(async (records, blockSize, rows, cut, seed) =>
        {
            using var files = new TextFiles();
            var options = Options(files, records, epochs: 3) with
            {
                BlockSize = blockSize,
                Rows = rows,
                ValidationFraction = 0.2,
                Shuffle = seed == 0 ? null : new() { Documents = seed == 1 ? int.MaxValue : seed, Seed = seed },
                Workers = 1 + seed % 3,
                TextBatchBytes = 1 + seed * 40,
            };
            var whole = await streams.Take(options);
            if (whole.Count == 0)
                return;
            var at = cut % whole.Count;
            var cursor = JsonSerializer.Deserialize<PipelineCursor>(JsonSerializer.Serialize(whole[at].Cursor))!;
            var rest = await streams.Take(options with { Workers = 2, TextBatchBytes = 100 }, cursor: cursor);
            Assert.Equal(whole.Skip(at + 1).Select(Content), rest.Select(Content));
        }, iter: 80, threads: 2);

        static string Content(TokenBatch batch) =>
            $"{string.Join(' ', batch.Tokens)} | {string.Join(' ', batch.DocumentStarts!)} | {string.Concat(batch.LossMask!.Select(counts => counts ? '1' : '0'))} | {JsonSerializer.Serialize(batch.Cursor)}";
    }

    [Fact]
    public async Task Each_epoch_has_the_same_records_in_another_order()
    {
        var records = Enumerable.Range(0, 40).Select(number => new InstructionRecord(new string('a', number + 1), "", "b")).ToArray();
        var options = Options(_files, records, epochs: 2) with { BlockSize = 60, Rows = 1, Shuffle = new() { Documents = int.MaxValue, Seed = 3 } };
        var found = (await streams.Take(options)).SelectMany(RecordsIn).ToList();
        Assert.Equal(found[..40].Order(), found[40..].Order());
        Assert.NotEqual(found[..40], found[40..]);
        Assert.NotEqual(records.Select(Whole), found[..40]);
    }

    [Fact]
    public async Task All_of_a_record_is_learned_where_that_is_wanted_and_padding_never()
    {
        var options = Options(_files, [new("a", "", "b"), new("a", "b", "犬")]) with { BlockSize = 16, Rows = 1 };
        var batch = Assert.Single(await streams.Take(options with { Instructions = options.Instructions! with { LossOnAnswerOnly = false } }));
        // <s> a 。 b </s> and <s> a 猫 b 。 犬 </s>, then four tokens of padding.
        Assert.Equal("1111111111110000", Marks(batch));
        Assert.Equal([0, 5, 12], batch.DocumentStarts!);
        Assert.Equal("0001100000110000", Marks(Assert.Single(await streams.Take(options))));
    }

    [Theory]
    [InlineData(LongRecords.Cut, 2, 1, 1)]
    [InlineData(LongRecords.Drop, 1, 0, 2)]
    public async Task A_record_longer_than_a_block_is_cut_or_left_out_and_counted(LongRecords rule, int kept, int cut, int dropped)
    {
        var notices = new List<string>();
        // The second one's answer is too long, the third one's prompt alone.
        InstructionRecord[] records = [new("a", "", "b"), new("a", "", "bababababababa犬"), new("bababababababa犬", "", "a")];
        var options = Options(_files, records) with { BlockSize = 8, Rows = 1, OnNotice = notices.Add };
        options = options with { Instructions = options.Instructions! with { LongRecords = rule } };
        var statistics = new PipelineStatistics();
        var batches = await streams.Take(options, statistics: statistics);
        Assert.Equal(kept, batches.Count);
        var source = Assert.Single(statistics.Sources);
        Assert.Equal((cut, dropped), (source.CutRecords, source.LongRecords));
        Assert.Contains(notices, notice => notice.Contains("records.json, record 2: it has ", StringComparison.Ordinal));
        if (rule == LongRecords.Cut)
        {
            Assert.Equal("00011111", Marks(batches[1]));
            Assert.DoesNotContain(End, batches[1].Tokens); // it does not learn to end in the middle
        }
    }

    [Fact]
    public async Task What_a_run_may_not_change_is_refused_when_it_goes_on()
    {
        var options = Options(_files, [.. Enumerable.Range(0, 30).Select(number => new InstructionRecord($"a{number}", "", "b"))]) with { BlockSize = 20, Rows = 1 };
        var cursor = (await streams.Take(options))[1].Cursor;
        Assert.Contains("records of instructions become other blocks", Refusal(options with { Instructions = options.Instructions! with { Template = new("{instruction}{input}", "{instruction}") } }));
        Assert.Contains("records of instructions become other blocks", Refusal(options with { BlockSize = 24 }));
        Assert.Contains("the sources hold running text, when the cursor was made they held instructions", Refusal(options with { Instructions = null }));

        string Refusal(PipelineOptions changed) =>
            Assert.Throws<SourceException>(() => TextPipeline.Batches(changed, Split.Train, cursor, TestTokenizer.Instance)).Message;
    }

    [Fact]
    public void A_cache_and_cleaning_are_refused()
    {
        var options = Options(_files, [new("a", "", "b")]);
        Assert.Contains("token cache", Assert.Throws<SourceException>(() => TextPipeline.Batches(options with { TokenCache = _files.Folder }, Split.Train, tokenizer: TestTokenizer.Instance)).Message);
        var cleaned = options with { Sources = [options.Sources[0] with { Cleaning = Streams.Cleaning.CleaningOptions.Web }] };
        Assert.Contains("taken as they are", Assert.Throws<SourceException>(() => TextPipeline.Batches(cleaned, Split.Train, tokenizer: TestTokenizer.Instance)).Message);
    }

    private static Gen<InstructionRecord[]> Records { get; } =
        Gen.Select(Text(1, 3), Text(0, 2), Text(1, 3), (instruction, input, answer) => new InstructionRecord(instruction, input, answer)).Array[1, 40];

    /// <summary>Letters that are a token each, whatever stands beside them.</summary>
    private static Gen<string> Text(int least, int most) => Gen.String[Gen.OneOf('b', '犬'), least, most];

    private static string Whole(InstructionRecord record) => $"{Template.Format(record.Instruction, record.Input)[3..]}|{record.Answer}";

    private static string Marks(TokenBatch batch) => string.Concat(batch.LossMask!.Select(counts => counts ? '1' : '0'));

    /// <summary>Each document of a batch as its prompt and, behind a bar, what is to be learned of it; padding is passed over.</summary>
    private static IEnumerable<string> RecordsIn(TokenBatch batch)
    {
        var starts = batch.DocumentStarts!;
        for (var index = 0; index < starts.Length; index++)
        {
            var end = index + 1 < starts.Length ? starts[index + 1] : batch.Tokens.Length;
            var tokens = batch.Tokens[starts[index]..end];
            var counted = batch.LossMask![starts[index]..end];
            if (tokens[0] != Begin)
            {
                Assert.All(tokens, token => Assert.Equal(End, token)); // the model has no padding piece
                Assert.DoesNotContain(true, counted);
                continue;
            }
            Assert.Equal(End, tokens[^1]);
            var answer = Array.IndexOf(counted, true);
            Assert.DoesNotContain(false, counted[answer..]);
            yield return $"{TestTokenizer.Instance.Decode(tokens[..answer])}|{TestTokenizer.Instance.Decode(tokens[answer..])}";
        }
    }

    private static PipelineOptions Options(TextFiles files, InstructionRecord[] records, int epochs = 1) => new()
    {
        Sources =
        [
            new()
            {
                Paths = [files.Write("records.json", JsonSerializer.Serialize(records.Select(record => new { instruction = record.Instruction, input = record.Input, output = record.Answer })))],
                Epochs = epochs,
            },
        ],
        Tokenizer = "",
        BlockSize = 12,
        Rows = 1,
        ValidationFraction = 0,
        Instructions = new() { Template = Template },
    };
}
