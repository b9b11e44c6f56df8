using CsCheck;
using Streaming.Streams.Cleaning;

namespace Streaming.Streams.Tests.Cleaning;

public sealed class FingerprintIndexSpec
{
    /// <summary>Few, and many in the same home, so that they collide, return and are forgotten.</summary>
    private static readonly Gen<ulong> _fingerprint = Gen.Int[1, 60].Select(value => value % 3 == 0 ? ulong.MaxValue - (ulong)value : (ulong)value * 0x0123_4567_89AB_CDEF);

    [Fact]
    public void A_table_is_a_set()
    {
        Gen.Select(Gen.Int[1, 40], Gen.Select(Gen.Bool, _fingerprint).Array[0, 300]).Sample((capacity, steps) =>
        {
            using var table = new FingerprintTable(capacity);
            var model = new HashSet<ulong>();
            foreach (var (add, fingerprint) in steps)
            {
                if (add && model.Count < capacity)
                    Assert.Equal(model.Add(fingerprint), table.Add(fingerprint));
                else
                {
                    model.Remove(fingerprint);
                    table.Remove(fingerprint);
                }
                Assert.Equal(model.Count, table.Count);
                Assert.Equal(model.Contains(fingerprint), table.Contains(fingerprint));
            }
            Assert.All(model, fingerprint => Assert.True(table.Contains(fingerprint)));
        });
    }

    [Fact]
    public void A_table_grows_and_keeps_what_it_has()
    {
        using var table = new FingerprintTable(100_000);
        for (var value = 1UL; value <= 100_000; value++)
            Assert.True(table.Add(Fingerprint.Combine(value, 1)));
        for (var value = 1UL; value <= 100_000; value++)
            Assert.True(table.Contains(Fingerprint.Combine(value, 1)));
        Assert.InRange(table.Bytes, 100_000 * 8, 100_000 * 8 * 1.4);
        Assert.False(table.Contains(Fingerprint.Combine(100_001, 1)));
    }

    /// <summary>A step: an epoch begins, or a fingerprint is added.</summary>
    private static readonly Gen<ulong?[]> _steps = Gen.Frequency((1, Gen.Const((ulong?)null)), (15, _fingerprint.Select(value => (ulong?)value))).Array[0, 120];

    [Fact]
    public void The_newest_entries_of_the_epoch_are_known()
    {
        Gen.Select(Gen.Int[1, 50], _steps).Sample((capacity, steps) =>
        {
            using var index = new FingerprintIndex(capacity, slack: 5);
            var model = new List<ulong>();
            var epoch = 0;
            foreach (var step in steps)
            {
                if (step is not { } fingerprint)
                {
                    index.BeginEpoch(++epoch);
                    model.Clear();
                    continue;
                }
                var isKnown = model.TakeLast(capacity).Contains(fingerprint);
                Assert.Equal(isKnown, index.ContainsAny([0, fingerprint]));
                Assert.Equal(isKnown ? 1 : 0, index.Add([fingerprint]));
                if (!isKnown)
                    model.Add(fingerprint);
            }
        });
    }

    [Fact]
    public void From_any_count_the_same_follows()
    {
        Gen.Select(Gen.Int[1, 50], _steps, _steps).Sample((capacity, before, after) =>
        {
            using var index = new FingerprintIndex(capacity, slack: 200);
            var epoch = Run(index, before, 0);
            var (count, epochThen) = (index.Count, index.Epoch);
            if (count == 0)
                return; // no entry, no state: a cursor without entries restores nothing
            using var file = new MemoryStream();
            Run(index, after, epoch); // more comes in before the state is written
            index.Save(count, file);

            file.Position = 0;
            using var resumed = new FingerprintIndex(capacity, slack: 200);
            resumed.Restore(count, file);
            Assert.Equal((count, epochThen), (resumed.Count, resumed.Epoch));
            Run(resumed, after, epoch);
            Assert.Equal((index.Count, index.Epoch), (resumed.Count, resumed.Epoch));
            Assert.Equal(Saved(index), Saved(resumed));
        });

        static byte[] Saved(FingerprintIndex index)
        {
            using var file = new MemoryStream();
            index.Save(index.Count, file);
            return file.ToArray();
        }

        static int Run(FingerprintIndex index, ulong?[] steps, int epoch)
        {
            foreach (var step in steps)
            {
                if (step is { } fingerprint)
                    index.Add([fingerprint]);
                else
                    index.BeginEpoch(++epoch);
            }
            return epoch;
        }
    }

    [Fact]
    public async Task A_state_is_whole_while_more_come_in()
    {
        using var index = new FingerprintIndex(capacity: 100_000, slack: 1000);
        var next = 0UL;
        Add(150_000);
        var count = index.Count;
        var started = new ManualResetEventSlim();
        var slow = new SlowStream(started);
        var saving = Task.Run(() => index.Save(count, slow), TestContext.Current.CancellationToken);
        started.Wait(TestContext.Current.CancellationToken);
        Add(50_000); // past the slack: waits for the writer
        await saving;

        slow.Position = 0;
        using var resumed = new FingerprintIndex(capacity: 100_000, slack: 1000);
        resumed.Restore(count, slow);
        for (var value = 50_001UL; value <= 150_000; value++)
            Assert.True(resumed.ContainsAny([Fingerprint.Combine(value, 2)]));
        Assert.False(resumed.ContainsAny([Fingerprint.Combine(50_000, 2)]));
        Assert.False(resumed.ContainsAny([Fingerprint.Combine(150_001, 2)]));

        void Add(int count)
        {
            for (var i = 0; i < count; i++)
                index.Add([Fingerprint.Combine(++next, 2)]);
        }
    }

    [Fact]
    public void A_state_that_is_gone_is_not_written()
    {
        using var index = new FingerprintIndex(capacity: 10, slack: 5);
        for (var value = 1UL; value <= 20; value++)
            index.Add([value]);
        var failure = Assert.Throws<InvalidOperationException>(() => index.Save(14, Stream.Null));
        Assert.Contains("data.duplicates more memory-bytes", failure.Message);
        index.Save(15, Stream.Null);
    }

    [Fact]
    public void Damage_is_refused()
    {
        using var index = new FingerprintIndex(capacity: 100, slack: 5);
        index.BeginEpoch(3);
        for (var value = 1UL; value <= 20; value++)
            index.Add([Fingerprint.Combine(value, 3)]);
        using var file = new MemoryStream();
        index.Save(20, file);
        var bytes = file.ToArray();
        Restore(bytes, 20);
        Assert.Contains("20 entries, the cursor 19", Assert.Throws<InvalidDataException>(() => Restore(bytes, 19)).Message);
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<InvalidDataException>(() => Restore(bytes[..length], 20));
        Assert.Throws<InvalidDataException>(() => Restore([.. bytes, 0], 20));
        for (var place = 0; place < bytes.Length; place++)
        {
            var flipped = bytes.ToArray();
            flipped[place] ^= 0x40;
            Assert.Throws<InvalidDataException>(() => Restore(flipped, 20));
        }

        static void Restore(byte[] bytes, long count)
        {
            using var index = new FingerprintIndex(capacity: 100, slack: 5);
            index.Restore(count, new MemoryStream(bytes));
        }
    }

    [Fact]
    public void A_header_that_promises_the_world_costs_nothing()
    {
        ulong[] words = [0x3158_4449_5055_4453, 1UL << 40, 0, 0, .. Enumerable.Range(1, 100).Select(value => (ulong)value)];
        var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(words.AsSpan()).ToArray();
        using var index = new FingerprintIndex(capacity: 100, slack: 5);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => index.Restore(1L << 40, new MemoryStream(bytes)));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Less_memory_keeps_the_newest()
    {
        using var large = new FingerprintIndex(capacity: 100, slack: 5);
        for (var value = 1UL; value <= 100; value++)
            large.Add([Fingerprint.Combine(value, 4)]);
        using var file = new MemoryStream();
        large.Save(100, file);
        file.Position = 0;
        using var small = new FingerprintIndex(capacity: 10, slack: 5);
        small.Restore(100, file);
        Assert.True(small.ContainsAny([Fingerprint.Combine(91, 4)]));
        Assert.False(small.ContainsAny([Fingerprint.Combine(90, 4)]));
    }

    [Theory]
    [InlineData(DuplicateOptions.LeastMemoryBytes)]
    [InlineData(1L << 30)]
    [InlineData(DuplicateOptions.MostMemoryBytes)]
    public void The_memory_is_what_was_asked_for(long bytes)
    {
        var capacity = FingerprintIndex.CapacityOf(bytes, out var slack);
        Assert.InRange((capacity + slack + FingerprintTable.PlacesFor(capacity)) * sizeof(ulong), bytes * 0.9, bytes);
    }

    /// <summary>Lets others run between two writes.</summary>
    private sealed class SlowStream(ManualResetEventSlim started) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            base.Write(buffer);
            started.Set();
            Thread.Sleep(2);
        }
    }
}
