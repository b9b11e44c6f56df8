using CsCheck;
using Streaming.Streams.Mixing;

namespace Streaming.Streams.Tests.Mixing;

public sealed class MixerSpec
{
    [Fact]
    public void Every_source_has_its_share_to_less_than_a_block_at_any_time()
    {
        Gen.Double[0.01, 10].Array[2, 12].Sample(weights =>
        {
            var mixer = Create(weights);
            var total = weights.Sum();
            for (var blocks = 1; blocks <= 1000; blocks++)
            {
                mixer.Take(mixer.Next()!.Value);
                for (var source = 0; source < weights.Length; source++)
                {
                    var error = Math.Abs(weights[source] / total * blocks - mixer.Taken(source));
                    // Tijdeman's bound, and what rounding may add to it.
                    Assert.True(error < 1 - 1.0 / (2 * weights.Length - 2) + 1e-9, $"source {source} is {error} off after {blocks} blocks");
                }
            }
        }, iter: 200, threads: 1);
    }

    [Fact]
    public void Of_two_sources_each_has_its_share_over_any_window_to_a_block()
    {
        Gen.Select(Gen.Double[0.01, 10], Gen.Double[0.01, 10]).Sample((first, second) =>
        {
            var mixer = Create(first, second);
            var taken = new List<long> { 0 };
            for (var blocks = 1; blocks <= 200; blocks++)
            {
                mixer.Take(mixer.Next()!.Value);
                taken.Add(mixer.Taken(0));
            }
            for (var from = 0; from < taken.Count; from++)
                for (var to = from; to < taken.Count; to++)
                    Assert.InRange(taken[to] - taken[from] - (to - from) * first / (first + second), -1 - 1e-9, 1 + 1e-9);
        }, iter: 50, threads: 1);
    }

    [Fact]
    public void Rounding_leaves_no_block_without_a_source()
    {
        // 61/29 and 5: after some blocks both lag by a half, less what rounding takes.
        Assert.Equal(10_000, Take(Create(61.0 / 29, 5), 10_000).Count);
        Gen.Select(Gen.Int[1, 100], Gen.Int[1, 100], Gen.Int[1, 100]).Sample((a, b, c) =>
            Assert.Equal(300, Take(Create(a / 97.0, b / 89.0, c / 83.0), 300).Count), iter: 200);
    }

    [Fact]
    public void Equal_weights_take_turns_in_order() =>
        Assert.Equal([0, 1, 2, 0, 1, 2, 0], Take(Create(1, 1, 1), 7));

    [Fact]
    public void A_heavy_source_comes_more_often_and_evenly()
    {
        Assert.Equal([0, 0, 1, 0, 0, 0, 1, 0], Take(Create(3, 1), 8));
    }

    [Fact]
    public void When_a_source_leaves_the_rest_share_by_their_weights()
    {
        var mixer = Create(2, 1, 1);
        Take(mixer, 10);
        mixer.Leave(0);
        Assert.Equal([1, 2, 1, 2], Take(mixer, 4));
        mixer.Leave(2);
        Assert.Equal([1, 1], Take(mixer, 2));
        mixer.Leave(1);
        Assert.Null(mixer.Next());
    }

    private static Mixer Create(params double[] weights) => new(weights, weights.Select(_ => 0L), weights.Select(_ => false));

    private static List<int> Take(Mixer mixer, int blocks) => [.. Enumerable.Range(0, blocks).Select(_ =>
    {
        var source = mixer.Next()!.Value;
        mixer.Take(source);
        return source;
    })];
}
