BEGIN { FS = "," }
{ sum[$2] += $3; n++ }
END { for (k in sum) total += sum[k]; printf "%d %d %.3f\n", n, total, sin(total) }
