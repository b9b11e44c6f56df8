using System.Globalization;

namespace Streaming.Hosting.Terminal;

/// <summary>Numbers as people read them in a line of progress.</summary>
internal static class Quantity
{
    /// <summary><c>12,345</c>.</summary>
    public static string Count(double value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary><c>3.2M</c>, three digits at most.</summary>
    public static string Short(double value) => Scale(value, 1000, ["", "K", "M", "G", "T"], "");

    /// <summary><c>12.3 MB</c>, in powers of ten.</summary>
    public static string Bytes(double value) => Scale(value, 1000, ["B", "KB", "MB", "GB", "TB"], " ");

    /// <summary><c>4.5s</c>, <c>1m23s</c>, <c>2h05m</c>, <c>3d04h</c>.</summary>
    public static string Time(TimeSpan time)
    {
        if (time < TimeSpan.FromSeconds(9.95))
            return time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture) + "s";
        time = TimeSpan.FromSeconds(Math.Round(Math.Min(time.TotalSeconds, TimeSpan.MaxValue.TotalSeconds / 2)));
        var text = time switch
        {
            { TotalMinutes: < 1 } => $"{time.Seconds}s",
            { TotalHours: < 1 } => $"{time.Minutes}m{time.Seconds:00}s",
            { TotalDays: < 1 } => $"{time.Hours}h{time.Minutes:00}m",
            _ => $"{time.Days}d{time.Hours:00}h",
        };
        return text;
    }

    /// <summary><c>1.80e-03</c>: as wide for every rate, so that the line does not jump.</summary>
    public static string Rate(double value) => value.ToString("0.00e+00", CultureInfo.InvariantCulture);

    /// <summary>A loss or norm with four decimals.</summary>
    public static string Fixed(double value) => value.ToString("0.0000", CultureInfo.InvariantCulture);

    private static string Scale(double value, double step, string[] units, string gap)
    {
        var unit = 0;
        while (value >= step * 0.9995 && unit < units.Length - 1)
        {
            value /= step;
            unit++;
        }
        var digits = unit == 0 || value >= 99.95 ? "0" : value >= 9.995 ? "0.0" : "0.00";
        return value.ToString(digits, CultureInfo.InvariantCulture) + gap + units[unit];
    }
}
