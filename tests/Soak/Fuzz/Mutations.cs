namespace Streaming.Soak.Fuzz;

/// <summary>Damages bytes as disks, networks and attackers do: bits, cuts, holes, repeats, foreign bytes, lengths that lie.</summary>
internal static class Mutations
{
    /// <returns>Other bytes than the given ones, drawn by the seed.</returns>
    public static byte[] Damage(byte[] sound, int seed)
    {
        var random = new Random(seed);
        var bytes = sound.ToList();
        for (var damages = random.Next(1, 5); damages > 0 || bytes.SequenceEqual(sound); damages--)
            DamageOnce(bytes, random);
        return [.. bytes];
    }

    private static void DamageOnce(List<byte> bytes, Random random)
    {
        if (bytes.Count == 0)
        {
            bytes.Add((byte)random.Next(256));
            return;
        }
        // Headers stand at the beginning and indices at the end: half of the damage is there.
        var at = random.Next(4) switch
        {
            0 => random.Next(Math.Min(64, bytes.Count)),
            1 => bytes.Count - 1 - random.Next(Math.Min(64, bytes.Count)),
            _ => random.Next(bytes.Count),
        };
        switch (random.Next(7))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 3:
                bytes.RemoveRange(at, Math.Min(random.Next(1, 200), bytes.Count - at));
                break;
            case 4:
                bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 200), bytes.Count - at)));
                break;
            case 5:
                var foreign = new byte[random.Next(1, 64)];
                random.NextBytes(foreign);
                bytes.InsertRange(at, foreign);
                break;
            default: // a length of 4 or 8 bytes that is enormous, or all zeros
                for (var index = at; index < Math.Min(at + (random.Next(2) == 0 ? 4 : 8), bytes.Count); index++)
                    bytes[index] = random.Next(3) == 0 ? (byte)0 : (byte)0xFF;
                break;
        }
    }
}
