using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

public sealed class EmbeddingPlanSpec
{
    [Theory]
    [InlineData(1, 0), InlineData(1, 1), InlineData(1, 32), InlineData(1, 33), InlineData(1, 64), InlineData(1, 65), InlineData(1, 1000)]
    [InlineData(3, 100), InlineData(97, 40), InlineData(97, 4000), InlineData(50257, 2000), InlineData(131072, 5000)]
    public void Every_position_is_in_one_run_of_its_token(int vocabulary, int positions)
    {
        var random = new Random(vocabulary + positions);
        var plan = new EmbeddingPlan(vocabulary, positions);
        for (var round = 0; round < 4; round++)
        {
            // From all tokens equally likely to few tokens nearly always, and not always as many as the plan can hold.
            var tokens = new int[round == 3 ? positions / 2 : positions];
            for (var i = 0; i < tokens.Length; i++) tokens[i] = (int)(vocabulary * Math.Pow(random.NextDouble(), 1 + 2 * round));
            plan.Build(tokens);
            Check(plan, tokens);
        }
    }

    [Fact]
    public void Sizes_hold_whatever_the_tokens_and_are_reached()
    {
        for (var positions = 0; positions < 200; positions++)
        {
            int joins = 0, slots = 0;
            for (var each = 1; each <= 70; each++) // every token `each` times, and the rest to the first
            {
                var tokens = Enumerable.Range(0, positions).Select(i => i / each < positions / each ? i / each : 0).ToArray();
                var plan = new EmbeddingPlan(positions + 1, positions);
                plan.Build(tokens);
                if (each == 1) Assert.Equal(EmbeddingPlan.MaximalRuns(positions), plan.Runs);
                (joins, slots) = (Math.Max(joins, plan.Joins), Math.Max(slots, plan.Slots));
            }
            Assert.Equal(EmbeddingPlan.MaximalJoins(positions), joins);
            Assert.Equal(EmbeddingPlan.MaximalSlots(positions), slots);
        }
    }

    [Theory, InlineData(0), InlineData(5), InlineData(96)]
    public void Padding_is_in_no_run(int padding)
    {
        var random = new Random(padding);
        var tokens = Enumerable.Range(0, 500).Select(_ => random.Next(3) == 0 ? padding : random.Next(97)).ToArray();
        var (with, without) = (new EmbeddingPlan(97, 500, padding), new EmbeddingPlan(97, 500));

        with.Build(tokens);

        // The same as if the other tokens stood alone, but for where they stand.
        int[] places = [.. Enumerable.Range(0, 500).Where(i => tokens[i] != padding)];
        without.Build([.. places.Select(i => tokens[i])]);
        Assert.Equal([.. without.Order.ToArray().Select(i => places[i])], with.Order.ToArray());
        Assert.Equal(without.Begin.ToArray(), with.Begin.ToArray());
        Assert.Equal(without.Token.ToArray(), with.Token.ToArray());
        Assert.Equal(without.Slot.ToArray(), with.Slot.ToArray());
        Assert.Equal(without.JoinBegin.ToArray(), with.JoinBegin.ToArray());
        Assert.Equal(without.Counts.ToArray(), with.Counts.ToArray());
        with.Build([padding, padding]); // nothing is left over
        Assert.Equal((0, 0), (with.Runs, with.Order.Length));
    }

    [Fact]
    public void Building_allocates_nothing()
    {
        var plan = new EmbeddingPlan(50257, 4096);
        var random = new Random(1);
        var tokens = Enumerable.Range(0, 4096).Select(_ => random.Next(50257)).ToArray();
        plan.Build(tokens);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10; i++) plan.Build(tokens);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory, InlineData(-1), InlineData(97), InlineData(int.MaxValue)]
    public void A_token_outside_the_vocabulary_is_refused_and_leaves_no_trace(int token)
    {
        var plan = new EmbeddingPlan(97, 50);
        plan.Build(Enumerable.Repeat(4, 40).ToArray());
        var failure = Assert.Throws<ArgumentException>(() => plan.Build([5, 5, token, 6]));
        Assert.StartsWith($"token {token} at position 2 is outside the vocabulary of 97", failure.Message, StringComparison.Ordinal);
        Check(plan, []);
        plan.Build([7, 5]);
        Check(plan, [7, 5]);
    }

    [Fact]
    public void More_tokens_than_positions_are_refused()
    {
        var failure = Assert.Throws<ArgumentException>(() => new EmbeddingPlan(97, 3).Build([1, 2, 3, 4]));
        Assert.StartsWith("the embedding plan holds 3 positions and was given 4", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>The plan has the one form that the tokens allow, so equal tokens give equal plans.</summary>
    private static void Check(EmbeddingPlan plan, int[] tokens)
    {
        var order = new List<int>();
        var runs = new List<(int Begin, int Token, int Slot)>();
        var joins = new List<(int Begin, int Token)>();
        var slots = 0;
        foreach (var token in tokens.Select((token, position) => (token, position)).GroupBy(entry => entry.token, entry => entry.position).OrderBy(group => group.Key))
        {
            var joined = token.Count() > 32;
            if (joined) joins.Add((slots, token.Key));
            foreach (var run in token.Chunk(32))
            {
                runs.Add((order.Count, token.Key, joined ? slots++ : -1));
                order.AddRange(run);
            }
        }
        Assert.Equal(order, plan.Order.ToArray());
        Assert.Equal(runs.Select(run => run.Begin).Append(tokens.Length), plan.Begin.ToArray());
        Assert.Equal(runs.Select(run => run.Token), plan.Token.ToArray());
        Assert.Equal(runs.Select(run => run.Slot), plan.Slot.ToArray());
        Assert.Equal(joins.Select(join => join.Begin).Append(slots), plan.JoinBegin.ToArray());
        Assert.Equal(joins.Select(join => join.Token), plan.JoinToken.ToArray());
        Assert.Equal([runs.Count, joins.Count], plan.Counts.ToArray());
        Assert.Equal((runs.Count, joins.Count, slots), (plan.Runs, plan.Joins, plan.Slots));
    }
}
